"""The form in which surfaces and names are compared."""

import re


def normal_form(text: str) -> str:
    """A surface or a name as they are compared: its words in lower case, one blank between.

    MedCAT's names have no punctuation, so `X-linked ataxia` equals the name `x linked ataxia`.
    What has no word is compared as it is, in lower case.
    """
    return " ".join(re.findall(r"\w+", text.lower())) or text.strip().lower()
