"""What a language model is asked in stage 3 beside a data set's questions: drawn anew each time a record is read."""
