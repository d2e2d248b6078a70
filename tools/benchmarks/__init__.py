"""What `tools/bench` measures: one module for each subject."""
