"""Questions and reports of a checkpoint under all controls, with everything that a figure rests on."""
