-- The trace that proposed it, so that what a driver does with an offer can be linked to the ride's; empty when untraced.
ALTER TABLE offer ADD COLUMN traceparent text NOT NULL DEFAULT '';
