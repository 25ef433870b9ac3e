"""What short forms mean, also outside the concept database.

Tables of senses and documents come in. The senses of short forms go out, each with its share as a
prior and with its concepts in the database. Vectors and training do not belong here.
`linking.senses` decides by context which sense is meant.
"""
