ALTER TABLE session ADD COLUMN presence_checked_at TIMESTAMPTZ(3);
