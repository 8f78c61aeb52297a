"""The one sentence that every picture, every printed answer and every JSON result carries."""

NOTICE = "Research and education only. Not for diagnosis, treatment or monitoring."
