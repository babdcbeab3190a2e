-- For is_account_busy and libs/store/src/provider-accounts/guard-connection.ts.
CREATE INDEX leg_of_account ON leg (account_id, kind, created_at) WHERE account_id IS NOT NULL;
