"""Texts out of files as a terminal may be given them. The standard library only."""


def printable(text: str) -> str:
    r"""A text with what a terminal would act on, or does not show, spelt out: `\x1b[2J` instead of a cleared screen.

    So are marks that turn the direction of writing, and bytes of a file's name that are no text.

    Examples:
        >>> print(printable("\x1b[31mII"))
        \x1b[31mII
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
