"""What short forms mean, also outside the concept database.

Tables of senses and documents come in. For a short form in a text its senses go out, each with its
share as a prior, and with the concepts of the database that it is. Vectors, training and the
decision between senses do not belong here.
"""
