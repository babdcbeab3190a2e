-- Calls by caller id are counted for one account: another account's calls are not read.
DROP INDEX leg_of_caller;
CREATE INDEX leg_of_caller ON leg (remote, (COALESCE(account_id, '')), created_at) WHERE kind = 'inbound';
