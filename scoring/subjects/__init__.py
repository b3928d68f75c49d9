"""Whatever takes the experiment: language models and what they are made from."""
