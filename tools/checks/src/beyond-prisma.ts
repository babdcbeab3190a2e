/** What migrations make that Prisma's schema language cannot say; each has its reason where the migration makes it. */
export const beyondPrisma: readonly string[] = [
  // One round trip per voice webhook.
  'function admit_caller',
  'function answer_caller',
  'function answer_own_leg',
  // Row-level security, and the one number that a tenant may know of all tenants' rows.
  'function count_pins',
  'function isolate_tenants',
  'function share_with_platform',
  'function tenant_in_context',
  // Partial unique indexes: at most one current session in a room, one live bridge leg in a session.
  'index leg_one_bridge',
  'index session_one_current',
  // Partial indexes: what the sweeps read.
  'index leg_dialling',
  'index leg_ending',
  'index leg_owed',
  'index leg_requested',
  'index leg_token',
  'index leg_unadmitted_due',
  'index outbox_due',
  'index outbox_leased',
  'index outbox_unsent',
  'index session_bridge_owed',
  'index session_due',
  'index session_ending',
  'index session_settle_owed',
  'index tenant_suspended',
];
