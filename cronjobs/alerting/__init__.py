"""Whether something is wrong that people are to be told of, and the rows that say so. Nothing is sent from here."""
