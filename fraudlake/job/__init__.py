"""The Flink job as the command line has it: submitted, kept, changed on its state, watched."""
