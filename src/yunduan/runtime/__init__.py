"""The writer, the transaction, facts and followers, alarms, jobs, the clock, and the ports that a store implements."""
