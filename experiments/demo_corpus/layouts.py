"""The shapes of a note: headings and the roles of the sentences under each.

Headings are never annotated, though some of them are names ("PE", "Discharge").
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layout:
    """Sections in order, and what stands between two of them."""

    sections: tuple[tuple[str, str], ...]
    between: str = "\n"


LAYOUTS = (
    Layout(
        (
            ("ADMISSION NOTE\n", "OSS"),
            ("PMH: ", "BQ"),
            ("SH: ", "X"),
            ("", "NFA"),
            ("O/E: ", "EEL"),
            ("Investigations: ", "TT"),
            ("Plan: ", "PPG"),
        )
    ),
    Layout(
        (
            ("Discharge summary\n\nReason for admission: ", "O"),
            ("History: ", "SSBQ"),
            ("Findings: ", "ENL"),
            ("Results: ", "TT"),
            ("Course and treatment: ", "PPP"),
            ("Advice on discharge: ", "RVG"),
        )
    ),
    Layout(
        (
            ("Dear colleague,\n\n", "O"),
            ("", "SSBXNF"),
            ("", "ELTT"),
            ("", "PPVKG"),
            ("With kind regards", ""),
        ),
        "\n\n",
    ),
    Layout(
        (
            ("ED NOTE\nHPI: ", "OSSN"),
            ("PMHx: ", "BQA"),
            ("PE: ", "EE"),
            ("Data: ", "TT"),
            ("A/P: ", "PPR"),
        )
    ),
    Layout(
        (
            ("Progress note. ", "OKS"),
            ("S: ", "SXN"),
            ("O: ", "ETT"),
            ("A/P: ", "PPBG"),
        )
    ),
    Layout((("", "OSSFBXN"), ("", "EEL"), ("", "TPPRVG")), "\n\n"),
    Layout((("Consultation. ", "OSSBAQFNEETTKPPG"),)),
    Layout(
        (
            ("Clinical details: ", "OS"),
            ("Background: ", "BQSF"),
            ("Findings: ", "ETT"),
            ("Impression and recommendation: ", "PPVG"),
        )
    ),
)
