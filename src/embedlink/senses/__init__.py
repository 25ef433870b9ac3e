"""What short forms mean, also outside the concept database.

Tables of senses and documents come in. For a short form in a text its senses go out, each with its
share as a prior, and with the concepts of the database that it is. Vectors and training do not
belong here. `linking.senses` decides by context which sense is meant.
"""
