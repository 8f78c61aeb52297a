"""The old name of `dataset_builders.question_generator`, for one more version."""
