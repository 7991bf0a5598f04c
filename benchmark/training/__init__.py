"""One stage of training: batches, steps, their recording on a GPU, and how it is stopped and resumed."""
