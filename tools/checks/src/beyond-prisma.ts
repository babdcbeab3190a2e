/** What migrations make that Prisma's schema language cannot say; each has its reason where the migration makes it. */
export const beyondPrisma: readonly string[] = [
  // One round trip per voice webhook.
  'function admit_caller',
  'function answer_caller',
  'function answer_own_leg',
  'function is_held',
  'function seat_caller',
  // Row-level security, and the one number that a tenant may know of all tenants' rows.
  'function count_pins',
  'function isolate_tenants',
  'function share_with_platform',
  'function tenant_in_context',
  // Limits, counted under a lock; the platform's are one row.
  'constraint platform_limit.platform_limit_one_row',
  'function hold_limit',
  'function read_limit',
  // Partial unique indexes: at most one current session in a room, one live bridge leg in a session.
  'index leg_one_bridge',
  // … one active room under a tenant’s own name, one that a number leads to without a PIN.
  'index room_external_id',
  'index room_pinless',
  'index session_one_current',
  // Partial indexes: what the sweeps read.
  'index leg_dialling',
  'index leg_ending',
  'index leg_owed',
  'index leg_placed',
  'index leg_requested',
  'index leg_token',
  'index leg_unadmitted_due',
  'index leg_up',
  'index outbox_due',
  'index outbox_leased',
  'index outbox_unsent',
  'index room_active',
  'index room_look',
  'index session_bridge_owed',
  'index session_due',
  'index session_ending',
  'index session_settle_owed',
  'index tenant_suspended',
];
