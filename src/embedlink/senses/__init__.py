"""What short forms mean, also outside the concept database.

Tables of senses and documents come in; for a short form in a text its senses go out, each with its
share as a prior, and which of them are concepts of the database. Vectors, training and the decision
between senses do not belong here.
"""
