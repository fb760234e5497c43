"""The Olist marketplace (Brazil, 2016 to 2018) brought into an empty cloud: its tables, the plan made of them, and the replay."""
