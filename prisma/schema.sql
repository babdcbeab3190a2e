-- The schema that a new database has: every migration and every function, applied.
-- Written by npm run schema. Do not edit: CI compares it with a new database.

-- Functions and tables refer to each other.
SET check_function_bodies = off;

-- Roles

DO $$ BEGIN CREATE ROLE partyline_platform NOLOGIN NOSUPERUSER NOBYPASSRLS; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE partyline_tenant NOLOGIN NOSUPERUSER NOBYPASSRLS; EXCEPTION WHEN duplicate_object THEN NULL; END $$;

-- Tables

CREATE TABLE api_key (
  id text NOT NULL,
  tenant_id text NOT NULL,
  label text NOT NULL,
  secret_hash bytea NOT NULL,
  scopes text[] DEFAULT ARRAY['admin'::text],
  created_at timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
  expires_at timestamp(3) with time zone,
  revoked_at timestamp(3) with time zone,
  last_used_at timestamp(3) with time zone
);
CREATE TABLE audit_entry (
  id text NOT NULL,
  tenant_id text,
  about text[] DEFAULT ARRAY[]::text[],
  actor_kind text NOT NULL,
  actor_id text NOT NULL,
  operation text NOT NULL,
  targets jsonb DEFAULT '{}'::jsonb NOT NULL,
  changes jsonb,
  request_id text NOT NULL,
  source text NOT NULL,
  begun_at timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
  ended_at timestamp(3) with time zone,
  status integer,
  reason text
);
CREATE TABLE cdr (
  id text NOT NULL,
  tenant_id text,
  room_id text,
  session_id text,
  leg_id text NOT NULL,
  handle text NOT NULL,
  direction text NOT NULL,
  number text,
  started_at timestamp(3) with time zone,
  ended_at timestamp(3) with time zone NOT NULL,
  seconds integer NOT NULL,
  rate_micro numeric(24,6),
  price_micro numeric(24,6),
  currency text NOT NULL,
  estimate_micro bigint NOT NULL,
  tenant_currency text,
  tenant_estimate_micro bigint,
  source text NOT NULL,
  stored_at timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
  price_lookup_at timestamp(3) with time zone,
  price_lookups integer DEFAULT 0 NOT NULL
);
CREATE TABLE delivery (
  id text NOT NULL,
  tenant_id text NOT NULL,
  endpoint_id text NOT NULL,
  event_id bigint NOT NULL,
  stream text NOT NULL,
  seq integer NOT NULL,
  state text DEFAULT 'pending'::text NOT NULL,
  attempts integer DEFAULT 0 NOT NULL,
  tries integer DEFAULT 0 NOT NULL,
  next_try_at timestamp(3) with time zone,
  lease_until timestamp(3) with time zone,
  created_at timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
  done_at timestamp(3) with time zone
);
CREATE TABLE delivery_attempt (
  delivery_id text NOT NULL,
  no integer NOT NULL,
  tenant_id text NOT NULL,
  at timestamp(3) with time zone NOT NULL,
  status integer,
  duration_ms integer,
  error text
);
CREATE TABLE dial_in_number (
  e164 text NOT NULL,
  language text DEFAULT 'en-US'::text NOT NULL,
  country text,
  toll_free boolean DEFAULT false NOT NULL,
  dedicated_to text,
  created_at timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
  guarded boolean DEFAULT true NOT NULL,
  max_unadmitted integer DEFAULT 10 NOT NULL,
  slow_until timestamp(3) with time zone,
  account_id text,
  max_per_caller_id integer DEFAULT 5 NOT NULL,
  tenant_account_id text GENERATED ALWAYS AS (NULLIF(account_id, 'platform-sip'::text)) STORED
);
CREATE TABLE endpoint (
  id text NOT NULL,
  tenant_id text NOT NULL,
  url text NOT NULL,
  description text DEFAULT ''::text NOT NULL,
  types text[] DEFAULT ARRAY[]::text[],
  enabled boolean DEFAULT true NOT NULL,
  disabled_at timestamp(3) with time zone,
  disabled_reason text,
  secret bytea NOT NULL,
  old_secret bytea,
  old_secret_until timestamp(3) with time zone,
  failures integer DEFAULT 0 NOT NULL,
  failing_since timestamp(3) with time zone,
  probe_at timestamp(3) with time zone,
  last_seq integer DEFAULT 0 NOT NULL,
  created_at timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
  deleted_at timestamp(3) with time zone
);
CREATE TABLE hang_up_attempt (
  leg_id text NOT NULL,
  no integer NOT NULL,
  tenant_id text,
  at timestamp(3) with time zone NOT NULL,
  outcome text,
  reason text
);
CREATE TABLE idempotency_key (
  id text NOT NULL,
  tenant_id text NOT NULL,
  key text NOT NULL,
  fingerprint bytea NOT NULL,
  seed bytea NOT NULL,
  lease_until timestamp(3) with time zone,
  reply bytea,
  created_at timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE TABLE idempotency_step (
  key_id text NOT NULL,
  step text NOT NULL,
  tenant_id text,
  result bytea NOT NULL
);
CREATE TABLE lease (
  name text NOT NULL,
  available_at timestamp(3) with time zone NOT NULL
);
CREATE TABLE leg (
  id text NOT NULL,
  tenant_id text,
  session_id text,
  participant_id text,
  kind text NOT NULL,
  role text DEFAULT 'participant'::text NOT NULL,
  muted boolean DEFAULT false NOT NULL,
  state text NOT NULL,
  version integer DEFAULT 0 NOT NULL,
  number text,
  remote text,
  token_hash bytea,
  media_connection_id text,
  media_created_at timestamp(3) with time zone,
  media_missing_since timestamp(3) with time zone,
  media_closed_at timestamp(3) with time zone,
  sip_ended_at timestamp(3) with time zone,
  voice_call_id text,
  voice_closed_at timestamp(3) with time zone,
  tries integer DEFAULT 0 NOT NULL,
  last_outcome text,
  slow boolean DEFAULT false NOT NULL,
  known boolean DEFAULT false NOT NULL,
  last_wrong_pin_at timestamp(3) with time zone,
  pin_guess_odds double precision DEFAULT 0 NOT NULL,
  created_at timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
  dialled_at timestamp(3) with time zone,
  answered_at timestamp(3) with time zone,
  joined_at timestamp(3) with time zone,
  ended_at timestamp(3) with time zone,
  deadline_at timestamp(3) with time zone NOT NULL,
  hangup_requested_at timestamp(3) with time zone,
  hangup_reason text,
  hangup_attempted_at timestamp(3) with time zone,
  hangup_attempts integer DEFAULT 0 NOT NULL,
  lease_until timestamp(3) with time zone,
  confirmed_at timestamp(3) with time zone,
  outcome text,
  reason text,
  account_id text,
  voice_missing_lists integer DEFAULT 0 NOT NULL,
  silences integer DEFAULT 0 NOT NULL,
  tenant_account_id text GENERATED ALWAYS AS (NULLIF(account_id, 'platform-sip'::text)) STORED
);
CREATE TABLE month_sum (
  tenant_id text NOT NULL,
  month timestamp(3) with time zone NOT NULL,
  part integer NOT NULL,
  currency text NOT NULL,
  tenant_currency text NOT NULL,
  seconds bigint NOT NULL,
  micro numeric(30,6) NOT NULL,
  tenant_micro bigint NOT NULL
);
CREATE TABLE observation (
  id bigserial NOT NULL,
  tenant_id text,
  leg_id text NOT NULL,
  handle text NOT NULL,
  phase text NOT NULL,
  source text NOT NULL,
  outcome text,
  reason text,
  provider_at timestamp(3) with time zone,
  stored_at timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE TABLE orphan_call (
  id text NOT NULL,
  first_seen_at timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
  last_seen_at timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
  sweeps integer DEFAULT 1 NOT NULL,
  hangup_attempted_at timestamp(3) with time zone,
  false_kill_at timestamp(3) with time zone,
  account_id text,
  tenant_account_id text GENERATED ALWAYS AS (NULLIF(account_id, 'platform-sip'::text)) STORED
);
CREATE TABLE outbox (
  id bigserial NOT NULL,
  tenant_id text NOT NULL,
  room_id text,
  session_id text,
  endpoint_id text,
  seq integer NOT NULL,
  type text NOT NULL,
  data jsonb NOT NULL,
  created_at timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE TABLE participant (
  id text NOT NULL,
  tenant_id text NOT NULL,
  room_id text NOT NULL,
  kind text NOT NULL,
  name text NOT NULL,
  role text DEFAULT 'participant'::text NOT NULL,
  removed_at timestamp(3) with time zone,
  created_at timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE TABLE pin (
  id text NOT NULL,
  tenant_id text NOT NULL,
  room_id text NOT NULL,
  number text NOT NULL,
  lookup bytea NOT NULL,
  ciphertext bytea NOT NULL,
  role text DEFAULT 'participant'::text NOT NULL,
  participant_id text,
  created_at timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
  quarantined_until timestamp(3) with time zone,
  digits integer,
  head bytea
);
CREATE TABLE pin_guess_day (
  number text NOT NULL,
  day date NOT NULL,
  odds double precision NOT NULL
);
CREATE TABLE platform_limit (
  "only" boolean DEFAULT true NOT NULL,
  max_live_rooms integer DEFAULT 1000 NOT NULL,
  max_live_legs integer DEFAULT 500 NOT NULL,
  max_dial_outs_per_minute integer DEFAULT 60 NOT NULL,
  max_requests_per_minute integer DEFAULT 600 NOT NULL
);
CREATE TABLE platform_rate (
  what text NOT NULL,
  prefix text NOT NULL,
  currency text NOT NULL,
  micro_per_minute bigint NOT NULL
);
CREATE TABLE provider_account (
  id text NOT NULL,
  tenant_id text NOT NULL,
  label text NOT NULL,
  voice_kind text NOT NULL,
  media_kind text NOT NULL,
  application_id text,
  voice_key_end text,
  media_key_end text,
  version integer DEFAULT 1 NOT NULL,
  ciphertext bytea,
  old_ciphertext bytea,
  old_version integer,
  old_until timestamp(3) with time zone,
  verified_at timestamp(3) with time zone NOT NULL,
  created_at timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
  deleted_at timestamp(3) with time zone,
  voice_region text,
  sip_domain text,
  trunk_addresses text[] DEFAULT ARRAY[]::text[],
  trunk_host text,
  trunk_transport text
);
CREATE TABLE provider_rate_limit (
  account text NOT NULL,
  lane text NOT NULL,
  share text DEFAULT ''::text NOT NULL,
  next_slot_at timestamp(3) with time zone NOT NULL,
  next_retry_at timestamp(3) with time zone
);
CREATE TABLE room (
  id text NOT NULL,
  tenant_id text NOT NULL,
  name text NOT NULL,
  state text DEFAULT 'active'::text NOT NULL,
  number text NOT NULL,
  bridge text DEFAULT 'auto'::text NOT NULL,
  max_participants integer NOT NULL,
  max_duration_s integer NOT NULL,
  never_used_s integer,
  browsers_left_s integer,
  phones_left_s integer,
  alone_s integer,
  empty_s integer,
  host_left_s integer,
  wait_for_host boolean DEFAULT false NOT NULL,
  pinless boolean DEFAULT false NOT NULL,
  starts_at timestamp(3) with time zone,
  ends_at timestamp(3) with time zone,
  expires_at timestamp(3) with time zone,
  idle_days integer,
  expiry_check_at timestamp(3) with time zone,
  external_id text,
  metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
  version integer DEFAULT 1 NOT NULL,
  created_at timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
  ended_at timestamp(3) with time zone,
  end_reason text,
  deleted_at timestamp(3) with time zone,
  max_spend_micro bigint,
  last_seq integer DEFAULT 0 NOT NULL
);
CREATE TABLE room_sum (
  tenant_id text NOT NULL,
  room_id text NOT NULL,
  currency text NOT NULL,
  tenant_currency text NOT NULL,
  seconds bigint NOT NULL,
  micro numeric(30,6) NOT NULL,
  tenant_micro bigint NOT NULL
);
CREATE TABLE session (
  id text NOT NULL,
  tenant_id text NOT NULL,
  room_id text NOT NULL,
  state text NOT NULL,
  version integer DEFAULT 0 NOT NULL,
  conversation text NOT NULL,
  media_session_id text,
  had_browser boolean DEFAULT false NOT NULL,
  had_phone boolean DEFAULT false NOT NULL,
  browsers_left_at timestamp(3) with time zone,
  phones_left_at timestamp(3) with time zone,
  alone_since timestamp(3) with time zone,
  empty_since timestamp(3) with time zone,
  had_host boolean DEFAULT false NOT NULL,
  host_left_at timestamp(3) with time zone,
  due_at timestamp(3) with time zone NOT NULL,
  due_reason text NOT NULL,
  created_at timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
  live_at timestamp(3) with time zone,
  ending_at timestamp(3) with time zone,
  ended_at timestamp(3) with time zone,
  end_reason text,
  last_seq integer DEFAULT 0 NOT NULL,
  settle_due_at timestamp(3) with time zone,
  bridge_failures integer DEFAULT 0 NOT NULL,
  bridge_due_at timestamp(3) with time zone,
  account_id text,
  presence_checked_at timestamp(3) with time zone,
  tenant_account_id text GENERATED ALWAYS AS (NULLIF(account_id, 'platform-sip'::text)) STORED
);
CREATE TABLE sip_account (
  id text NOT NULL,
  tenant_id text NOT NULL,
  label text NOT NULL,
  version integer DEFAULT 1 NOT NULL,
  created_at timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE TABLE tenant (
  id text NOT NULL,
  name text NOT NULL,
  created_at timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
  home_country text DEFAULT 'US'::text NOT NULL,
  suspended_at timestamp(3) with time zone,
  max_live_rooms integer,
  max_live_legs integer,
  max_dial_outs_per_minute integer,
  max_requests_per_minute integer,
  allowed_countries text[] DEFAULT ARRAY[]::text[],
  currency text DEFAULT 'EUR'::text NOT NULL,
  max_minutes_per_month integer,
  max_spend_micro_per_month bigint,
  fraud_limits jsonb DEFAULT '{}'::jsonb NOT NULL
);
CREATE TABLE tenant_data_key (
  tenant_id text NOT NULL,
  wrapped bytea NOT NULL,
  master_key_id text NOT NULL,
  created_at timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE TABLE warning (
  tenant_id text NOT NULL,
  what text NOT NULL,
  period text NOT NULL,
  session_id text NOT NULL,
  at timestamp(3) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE TABLE webhook_jti (
  jti text NOT NULL,
  expires_at timestamp(3) with time zone NOT NULL
);

-- Keys and checks

ALTER TABLE api_key ADD CONSTRAINT api_key_pkey PRIMARY KEY (id);
ALTER TABLE audit_entry ADD CONSTRAINT audit_entry_pkey PRIMARY KEY (id);
ALTER TABLE cdr ADD CONSTRAINT cdr_pkey PRIMARY KEY (id);
ALTER TABLE delivery ADD CONSTRAINT delivery_pkey PRIMARY KEY (id);
ALTER TABLE delivery_attempt ADD CONSTRAINT delivery_attempt_pkey PRIMARY KEY (delivery_id, no);
ALTER TABLE dial_in_number ADD CONSTRAINT dial_in_number_pkey PRIMARY KEY (e164);
ALTER TABLE dial_in_number ADD CONSTRAINT dial_in_number_account CHECK (((tenant_account_id IS NULL) OR (dedicated_to IS NOT NULL)));
ALTER TABLE endpoint ADD CONSTRAINT endpoint_pkey PRIMARY KEY (id);
ALTER TABLE hang_up_attempt ADD CONSTRAINT hang_up_attempt_pkey PRIMARY KEY (leg_id, no);
ALTER TABLE idempotency_key ADD CONSTRAINT idempotency_key_pkey PRIMARY KEY (id);
ALTER TABLE idempotency_step ADD CONSTRAINT idempotency_step_pkey PRIMARY KEY (key_id, step);
ALTER TABLE lease ADD CONSTRAINT lease_pkey PRIMARY KEY (name);
ALTER TABLE leg ADD CONSTRAINT leg_pkey PRIMARY KEY (id);
ALTER TABLE leg ADD CONSTRAINT leg_account_tenant CHECK (((tenant_account_id IS NULL) OR (tenant_id IS NOT NULL)));
ALTER TABLE month_sum ADD CONSTRAINT month_sum_pkey PRIMARY KEY (tenant_id, month, part, currency, tenant_currency);
ALTER TABLE observation ADD CONSTRAINT observation_pkey PRIMARY KEY (id);
ALTER TABLE orphan_call ADD CONSTRAINT orphan_call_pkey PRIMARY KEY (id);
ALTER TABLE outbox ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);
ALTER TABLE participant ADD CONSTRAINT participant_pkey PRIMARY KEY (id);
ALTER TABLE pin ADD CONSTRAINT pin_pkey PRIMARY KEY (id);
ALTER TABLE pin_guess_day ADD CONSTRAINT pin_guess_day_pkey PRIMARY KEY (number, day);
ALTER TABLE platform_limit ADD CONSTRAINT platform_limit_pkey PRIMARY KEY ("only");
ALTER TABLE platform_limit ADD CONSTRAINT platform_limit_one_row CHECK ("only");
ALTER TABLE platform_rate ADD CONSTRAINT platform_rate_pkey PRIMARY KEY (what, prefix, currency);
ALTER TABLE platform_rate ADD CONSTRAINT platform_rate_prefix CHECK ((prefix ~ '^(\+[1-9][0-9]{0,14})?$'::text));
ALTER TABLE provider_account ADD CONSTRAINT provider_account_pkey PRIMARY KEY (id);
ALTER TABLE provider_account ADD CONSTRAINT provider_account_credentials CHECK ((((ciphertext IS NULL) = (deleted_at IS NOT NULL)) AND ((old_ciphertext IS NULL) OR (deleted_at IS NULL))));
ALTER TABLE provider_rate_limit ADD CONSTRAINT provider_rate_limit_pkey PRIMARY KEY (account, lane, share);
ALTER TABLE room ADD CONSTRAINT room_pkey PRIMARY KEY (id);
ALTER TABLE room_sum ADD CONSTRAINT room_sum_pkey PRIMARY KEY (tenant_id, room_id, currency, tenant_currency);
ALTER TABLE session ADD CONSTRAINT session_pkey PRIMARY KEY (id);
ALTER TABLE sip_account ADD CONSTRAINT sip_account_pkey PRIMARY KEY (id);
ALTER TABLE tenant ADD CONSTRAINT tenant_pkey PRIMARY KEY (id);
ALTER TABLE tenant_data_key ADD CONSTRAINT tenant_data_key_pkey PRIMARY KEY (tenant_id);
ALTER TABLE warning ADD CONSTRAINT warning_pkey PRIMARY KEY (tenant_id, what, period);
ALTER TABLE webhook_jti ADD CONSTRAINT webhook_jti_pkey PRIMARY KEY (jti);

-- Indexes

CREATE INDEX api_key_tenant_id_idx ON public.api_key USING btree (tenant_id);
CREATE INDEX audit_entry_about_idx ON public.audit_entry USING gin (about);
CREATE INDEX audit_entry_begun_at_id_idx ON public.audit_entry USING btree (begun_at, id);
CREATE INDEX audit_entry_tenant_id_begun_at_id_idx ON public.audit_entry USING btree (tenant_id, begun_at, id);
CREATE UNIQUE INDEX cdr_leg_id_handle_key ON public.cdr USING btree (leg_id, handle);
CREATE INDEX cdr_price_due ON public.cdr USING btree (price_lookup_at) WHERE (price_lookup_at IS NOT NULL);
CREATE INDEX cdr_room_id_idx ON public.cdr USING btree (room_id);
CREATE INDEX cdr_tenant_id_ended_at_id_idx ON public.cdr USING btree (tenant_id, ended_at, id);
CREATE INDEX delivery_done ON public.delivery USING btree (done_at) WHERE (done_at IS NOT NULL);
CREATE INDEX delivery_due ON public.delivery USING btree (endpoint_id, next_try_at, event_id) WHERE (next_try_at IS NOT NULL);
CREATE UNIQUE INDEX delivery_endpoint_id_event_id_key ON public.delivery USING btree (endpoint_id, event_id);
CREATE INDEX delivery_leased ON public.delivery USING btree (endpoint_id, lease_until) WHERE (lease_until IS NOT NULL);
CREATE INDEX delivery_unsent ON public.delivery USING btree (endpoint_id, stream, seq) WHERE (next_try_at IS NOT NULL);
CREATE INDEX dial_in_number_account_id_idx ON public.dial_in_number USING btree (account_id);
CREATE INDEX dial_in_number_dedicated_to_idx ON public.dial_in_number USING btree (dedicated_to);
CREATE INDEX endpoint_deleted ON public.endpoint USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);
CREATE INDEX endpoint_tenant_id_idx ON public.endpoint USING btree (tenant_id);
CREATE INDEX idempotency_key_created_at_idx ON public.idempotency_key USING btree (created_at);
CREATE UNIQUE INDEX idempotency_key_tenant_id_key_key ON public.idempotency_key USING btree (tenant_id, key);
CREATE INDEX leg_bad_guess ON public.leg USING btree (number, last_wrong_pin_at) INCLUDE (pin_guess_odds, slow, known) WHERE (last_wrong_pin_at IS NOT NULL);
CREATE INDEX leg_called ON public.leg USING btree (account_id, created_at) WHERE ((state <> 'ended'::text) AND (voice_call_id IS NOT NULL));
CREATE INDEX leg_dialling ON public.leg USING btree (dialled_at) WHERE (state = 'dialling'::text);
CREATE INDEX leg_ending ON public.leg USING btree (hangup_requested_at) WHERE (state = 'ending'::text);
CREATE INDEX leg_hangup_requested ON public.leg USING btree (tenant_id, hangup_requested_at, id) WHERE (hangup_requested_at IS NOT NULL);
CREATE INDEX leg_known_guess ON public.leg USING btree (number, last_wrong_pin_at) INCLUDE (pin_guess_odds) WHERE (known AND (last_wrong_pin_at IS NOT NULL));
CREATE INDEX leg_media_connection_id_idx ON public.leg USING btree (media_connection_id);
CREATE INDEX leg_never_seen ON public.leg USING btree (account_id, ended_at) WHERE (voice_missing_lists >= 3);
CREATE INDEX leg_of_account ON public.leg USING btree (account_id, kind, created_at) WHERE (account_id IS NOT NULL);
CREATE INDEX leg_of_caller ON public.leg USING btree (remote, COALESCE(account_id, ''::text), created_at) WHERE (kind = 'inbound'::text);
CREATE UNIQUE INDEX leg_one_bridge ON public.leg USING btree (session_id) WHERE ((kind = 'bridge'::text) AND (state <> 'ended'::text));
CREATE INDEX leg_participant_id_idx ON public.leg USING btree (participant_id);
CREATE INDEX leg_placed ON public.leg USING btree (tenant_id, created_at) WHERE (kind = 'outbound'::text);
CREATE INDEX leg_requested ON public.leg USING btree (created_at) WHERE (state = 'requested'::text);
CREATE INDEX leg_running ON public.leg USING btree (tenant_id) WHERE ((state <> 'ended'::text) AND (session_id IS NOT NULL));
CREATE INDEX leg_session_id_idx ON public.leg USING btree (session_id);
CREATE INDEX leg_token ON public.leg USING btree (token_hash) WHERE (token_hash IS NOT NULL);
CREATE INDEX leg_unadmitted ON public.leg USING btree (number, remote) WHERE ((kind = 'inbound'::text) AND (session_id IS NULL) AND (state <> ALL (ARRAY['ending'::text, 'ended'::text])));
CREATE INDEX leg_unadmitted_due ON public.leg USING btree (deadline_at) WHERE ((session_id IS NULL) AND (state <> 'ended'::text));
CREATE INDEX leg_unnamed ON public.leg USING btree (remote) WHERE ((kind = 'outbound'::text) AND (voice_call_id IS NULL));
CREATE INDEX leg_up ON public.leg USING btree (tenant_id) WHERE ((state <> 'ended'::text) AND (kind <> 'bridge'::text));
CREATE INDEX leg_up_of_session ON public.leg USING btree (session_id) WHERE (state <> 'ended'::text);
CREATE UNIQUE INDEX leg_voice_call_id_key ON public.leg USING btree (voice_call_id);
CREATE INDEX observation_leg_id_idx ON public.observation USING btree (leg_id);
CREATE INDEX outbox_created_at_idx ON public.outbox USING btree (created_at);
CREATE UNIQUE INDEX outbox_endpoint_id_seq_key ON public.outbox USING btree (endpoint_id, seq);
CREATE UNIQUE INDEX outbox_of_room ON public.outbox USING btree (room_id, seq) WHERE ((session_id IS NULL) AND (endpoint_id IS NULL));
CREATE UNIQUE INDEX outbox_session_id_seq_key ON public.outbox USING btree (session_id, seq);
CREATE INDEX outbox_tenant_id_id_idx ON public.outbox USING btree (tenant_id, id);
CREATE INDEX participant_tenant_id_room_id_idx ON public.participant USING btree (tenant_id, room_id);
CREATE INDEX pin_live ON public.pin USING btree (number, digits) WHERE (quarantined_until IS NULL);
CREATE INDEX pin_number_head_idx ON public.pin USING btree (number, head);
CREATE UNIQUE INDEX pin_number_lookup_key ON public.pin USING btree (number, lookup);
CREATE INDEX pin_quarantined_until_idx ON public.pin USING btree (quarantined_until);
CREATE INDEX pin_room_id_idx ON public.pin USING btree (room_id);
CREATE INDEX pin_guess_day_day_idx ON public.pin_guess_day USING btree (day);
CREATE UNIQUE INDEX provider_account_application ON public.provider_account USING btree (application_id) WHERE (deleted_at IS NULL);
CREATE UNIQUE INDEX provider_account_id_tenant_id_key ON public.provider_account USING btree (id, tenant_id);
CREATE INDEX provider_account_old ON public.provider_account USING btree (old_until) WHERE (old_ciphertext IS NOT NULL);
CREATE INDEX provider_account_tenant_id_idx ON public.provider_account USING btree (tenant_id);
CREATE INDEX room_active ON public.room USING btree (tenant_id) WHERE (state = 'active'::text);
CREATE INDEX room_ended ON public.room USING btree (ended_at) WHERE (ended_at IS NOT NULL);
CREATE INDEX room_expiry_check ON public.room USING btree (expiry_check_at) WHERE ((state = 'active'::text) AND (expiry_check_at IS NOT NULL));
CREATE UNIQUE INDEX room_external_id ON public.room USING btree (tenant_id, external_id) WHERE ((state = 'active'::text) AND (external_id IS NOT NULL));
CREATE UNIQUE INDEX room_pinless ON public.room USING btree (number) WHERE ((state = 'active'::text) AND pinless);
CREATE INDEX room_tenant_id_created_at_id_idx ON public.room USING btree (tenant_id, created_at, id);
CREATE INDEX session_bridge_due ON public.session USING btree (bridge_due_at) WHERE (bridge_due_at IS NOT NULL);
CREATE UNIQUE INDEX session_conversation_key ON public.session USING btree (conversation);
CREATE INDEX session_due ON public.session USING btree (due_at) WHERE (state = ANY (ARRAY['open'::text, 'live'::text]));
CREATE INDEX session_ending ON public.session USING btree (ending_at) WHERE (state = 'ending'::text);
CREATE UNIQUE INDEX session_media_session_id_key ON public.session USING btree (media_session_id);
CREATE UNIQUE INDEX session_one_current ON public.session USING btree (room_id) WHERE (state = ANY (ARRAY['open'::text, 'live'::text]));
CREATE INDEX session_room_id_created_at_idx ON public.session USING btree (room_id, created_at);
CREATE INDEX session_settle_due ON public.session USING btree (settle_due_at) WHERE (settle_due_at IS NOT NULL);
CREATE INDEX session_tenant_id_created_at_id_idx ON public.session USING btree (tenant_id, created_at, id);
CREATE INDEX session_video ON public.session USING btree (account_id) WHERE ((state <> 'ended'::text) AND (media_session_id IS NOT NULL));
CREATE INDEX session_video_ended ON public.session USING btree (account_id, ended_at) WHERE ((state = 'ended'::text) AND (media_session_id IS NOT NULL));
CREATE INDEX session_video_recent ON public.session USING btree (account_id, created_at) WHERE ((state = 'ended'::text) AND (media_session_id IS NOT NULL));
CREATE INDEX sip_account_tenant_id_idx ON public.sip_account USING btree (tenant_id);
CREATE INDEX tenant_suspended ON public.tenant USING btree (suspended_at) WHERE (suspended_at IS NOT NULL);
CREATE INDEX webhook_jti_expires_at_idx ON public.webhook_jti USING btree (expires_at);

-- Foreign keys

ALTER TABLE api_key ADD CONSTRAINT api_key_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE delivery_attempt ADD CONSTRAINT delivery_attempt_delivery_id_fkey FOREIGN KEY (delivery_id) REFERENCES delivery(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE dial_in_number ADD CONSTRAINT dial_in_number_dedicated_to_fkey FOREIGN KEY (dedicated_to) REFERENCES tenant(id) ON UPDATE CASCADE ON DELETE RESTRICT;
ALTER TABLE dial_in_number ADD CONSTRAINT dial_in_number_tenant_account_id_dedicated_to_fkey FOREIGN KEY (tenant_account_id, dedicated_to) REFERENCES provider_account(id, tenant_id);
ALTER TABLE endpoint ADD CONSTRAINT endpoint_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE idempotency_step ADD CONSTRAINT idempotency_step_key_id_fkey FOREIGN KEY (key_id) REFERENCES idempotency_key(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE leg ADD CONSTRAINT leg_session_id_fkey FOREIGN KEY (session_id) REFERENCES session(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE leg ADD CONSTRAINT leg_tenant_account_id_tenant_id_fkey FOREIGN KEY (tenant_account_id, tenant_id) REFERENCES provider_account(id, tenant_id);
ALTER TABLE orphan_call ADD CONSTRAINT orphan_call_tenant_account_id_fkey FOREIGN KEY (tenant_account_id) REFERENCES provider_account(id) ON DELETE CASCADE;
ALTER TABLE pin ADD CONSTRAINT pin_room_id_fkey FOREIGN KEY (room_id) REFERENCES room(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE pin_guess_day ADD CONSTRAINT pin_guess_day_number_fkey FOREIGN KEY (number) REFERENCES dial_in_number(e164) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE provider_account ADD CONSTRAINT provider_account_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE room ADD CONSTRAINT room_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE session ADD CONSTRAINT session_room_id_fkey FOREIGN KEY (room_id) REFERENCES room(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE session ADD CONSTRAINT session_tenant_account_id_tenant_id_fkey FOREIGN KEY (tenant_account_id, tenant_id) REFERENCES provider_account(id, tenant_id);
ALTER TABLE sip_account ADD CONSTRAINT sip_account_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE tenant_data_key ADD CONSTRAINT tenant_data_key_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenant(id) ON UPDATE CASCADE ON DELETE CASCADE;

-- Functions

CREATE OR REPLACE FUNCTION public.add_to_sums(p_cdr cdr, p_sign integer)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
  v_part int := hashtext(COALESCE(p_cdr.room_id, '')) & 15;
  v_seconds bigint := p_sign * p_cdr.seconds;
  v_micro numeric := p_sign * COALESCE(p_cdr.price_micro, p_cdr.estimate_micro);
  v_tenant_micro bigint := p_sign * COALESCE(p_cdr.tenant_estimate_micro, 0);
  v_tenant_currency text := COALESCE(p_cdr.tenant_currency, '');
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(format('sums %s %s', v_part, p_cdr.tenant_id), 0));

  INSERT INTO month_sum AS s (tenant_id, month, part, currency, tenant_currency, seconds, micro, tenant_micro)
  VALUES (
    p_cdr.tenant_id, date_trunc('month', p_cdr.ended_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', v_part,
    p_cdr.currency, v_tenant_currency, v_seconds, v_micro, v_tenant_micro
  )
  ON CONFLICT (tenant_id, month, part, currency, tenant_currency) DO UPDATE
  SET seconds = s.seconds + EXCLUDED.seconds,
    micro = s.micro + EXCLUDED.micro,
    tenant_micro = s.tenant_micro + EXCLUDED.tenant_micro;

  IF p_cdr.room_id IS NOT NULL THEN
    INSERT INTO room_sum AS s (tenant_id, room_id, currency, tenant_currency, seconds, micro, tenant_micro)
    VALUES (
      p_cdr.tenant_id, p_cdr.room_id, p_cdr.currency, v_tenant_currency, v_seconds, v_micro, v_tenant_micro
    )
    ON CONFLICT (tenant_id, room_id, currency, tenant_currency) DO UPDATE
    SET seconds = s.seconds + EXCLUDED.seconds,
      micro = s.micro + EXCLUDED.micro,
      tenant_micro = s.tenant_micro + EXCLUDED.tenant_micro;
  END IF;
END $function$;
CREATE OR REPLACE FUNCTION public.admit_caller(p_jti text, p_jti_expires timestamp with time zone, p_leg text, p_call text, p_try integer, p_lookups bytea[], p_session text, p_conversation text, p_participant text, p_account text, p_silent boolean DEFAULT false)
 RETURNS TABLE(outcome text, language text, prompts integer, tenant_id text, session_id text, conversation text, waits boolean, muted boolean, deadline_at timestamp with time zone)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET enable_seqscan TO 'off'
 SET search_path TO 'public', 'pg_temp'
AS $function$
DECLARE
  v_leg leg;
  v_pin pin;
  v_admission record;
  v_outcome text;
  v_ends boolean;
  v_odds double precision := 0;
BEGIN
  language := 'en-US';
  prompts := 0;
  waits := false;
  muted := false;

  INSERT INTO webhook_jti (jti, expires_at) VALUES (p_jti, p_jti_expires) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    outcome := 'replayed';
    RETURN NEXT;
    RETURN;
  END IF;

  SELECT *
  INTO v_leg
  FROM leg l
  WHERE l.id = p_leg
    AND l.voice_call_id = p_call
    AND l.kind = 'inbound'
    AND l.account_id IS NOT DISTINCT FROM p_account
  FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    outcome := 'unknown-call';
    RETURN NEXT;
    RETURN;
  END IF;
  language := COALESCE((SELECT d.language FROM dial_in_number d WHERE d.e164 = v_leg.number), 'en-US');
  prompts := v_leg.tries + v_leg.silences;

  IF p_try <= prompts THEN
    -- A repeated webhook: the same answer, unless the call is to end by now.
    RETURN QUERY
      SELECT
        CASE
          WHEN v_leg.last_outcome = 'admitted'
            AND (v_leg.state IN ('ending', 'ended') OR s.state NOT IN ('open', 'live')) THEN 'hang-up'
          ELSE v_leg.last_outcome
        END,
        language, prompts, v_leg.tenant_id, v_leg.session_id, s.conversation,
        COALESCE(waits_for_host(r, s.id, v_leg.role), false), v_leg.muted,
        latest_end(s, r)
      FROM (SELECT 1) AS one_row
      LEFT JOIN session s ON s.id = v_leg.session_id
      LEFT JOIN room r ON r.id = s.room_id;
    RETURN;
  END IF;
  IF v_leg.session_id IS NOT NULL OR v_leg.state IN ('ending', 'ended') THEN
    outcome := 'hang-up';
    RETURN NEXT;
    RETURN;
  END IF;
  prompts := prompts + 1;

  -- The tenant comes from the row of the PIN, never from the caller.
  SELECT p.*
  INTO v_pin
  FROM pin p
  WHERE p.number = v_leg.number AND p.lookup = ANY (p_lookups) AND p.quarantined_until IS NULL;
  IF FOUND THEN
    SELECT *
    INTO v_admission
    FROM admit_to_session(
      v_leg, v_pin.room_id, v_pin.role, v_pin.participant_id, p_session, p_conversation, p_participant
    );
    IF v_admission.outcome <> 'no-room' THEN
      outcome := v_admission.outcome;
      tenant_id := v_admission.tenant_id;
      session_id := v_admission.session_id;
      conversation := v_admission.conversation;
      waits := v_admission.waits;
      muted := v_admission.muted;
      deadline_at := v_admission.deadline_at;
      RETURN NEXT;
      RETURN;
    END IF;
  END IF;

  v_outcome := CASE
    WHEN p_silent AND v_leg.silences + 1 >= max_silent_prompts() THEN 'silent'
    WHEN p_silent THEN 'no-digits'
    WHEN v_leg.tries + 1 >= max_pin_attempts(v_leg.slow) THEN 'refused'
    ELSE 'wrong-pin'
  END;
  v_ends := v_outcome IN ('refused', 'silent');
  -- Digits that cannot be a PIN are not a guess.
  IF p_lookups IS NOT NULL THEN
    v_odds := pin_guess_odds(v_leg.number);
  END IF;
  UPDATE leg l
  SET tries = l.tries + CASE WHEN p_silent THEN 0 ELSE 1 END,
    silences = l.silences + CASE WHEN p_silent THEN 1 ELSE 0 END,
    version = l.version + 1,
    last_outcome = v_outcome,
    last_wrong_pin_at = CASE WHEN p_lookups IS NULL THEN l.last_wrong_pin_at ELSE now() END,
    pin_guess_odds = l.pin_guess_odds + v_odds,
    state = CASE WHEN v_ends THEN 'ending' ELSE answered_state(l.state) END,
    answered_at = COALESCE(l.answered_at, now()),
    hangup_requested_at = CASE WHEN v_ends THEN now() END,
    hangup_reason = CASE v_outcome WHEN 'refused' THEN 'too-many-tries' WHEN 'silent' THEN 'no-digits' END,
    deadline_at = now() + CASE WHEN v_ends THEN goodbye_time() ELSE pin_entry_time(l.slow) END
  WHERE l.id = p_leg;
  -- Last, because other callers of the number who key a wrong PIN wait for this row until the commit.
  -- A guess counts only at the account of the number, which may have changed since the call rang.
  IF v_odds > 0 THEN
    INSERT INTO pin_guess_day AS g (number, day, odds)
    SELECT d.e164, (now() AT TIME ZONE 'UTC')::date, v_odds
    FROM dial_in_number d
    WHERE d.e164 = v_leg.number AND d.account_id IS NOT DISTINCT FROM v_leg.account_id
    ON CONFLICT (number, day) DO UPDATE SET odds = g.odds + EXCLUDED.odds;
  END IF;
  outcome := v_outcome;
  RETURN NEXT;
END $function$;
ALTER FUNCTION admit_caller(text,timestamp with time zone,text,text,integer,bytea[],text,text,text,text,boolean) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION admit_caller(text,timestamp with time zone,text,text,integer,bytea[],text,text,text,text,boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION admit_caller(text,timestamp with time zone,text,text,integer,bytea[],text,text,text,text,boolean) TO partyline_tenant;
CREATE OR REPLACE FUNCTION public.admit_to_session(p_leg leg, p_room text, p_role text, p_person text, p_session text, p_conversation text, p_participant text)
 RETURNS TABLE(outcome text, tenant_id text, session_id text, conversation text, waits boolean, muted boolean, deadline_at timestamp with time zone)
 LANGUAGE plpgsql
AS $function$
DECLARE
  v_room room;
  v_session session;
  v_account text;
  v_rejection text;
  v_earlier_calls int := 0;
  v_earlier_seats int := 0;
BEGIN
  waits := false;
  muted := false;

  -- The PIN of a suspended tenant's room counts as a wrong PIN.
  SELECT r.*
  INTO v_room
  FROM room r
  JOIN tenant t ON t.id = r.tenant_id AND t.suspended_at IS NULL
  WHERE r.id = p_room AND r.state = 'active';
  IF v_room.starts_at > now() THEN
    v_rejection := 'not-open';
  ELSIF v_room.ends_at <= now() THEN
    v_rejection := 'over';
  END IF;

  IF v_room.id IS NOT NULL AND v_rejection IS NULL THEN
    LOOP
      SELECT *
      INTO v_session
      FROM session s
      WHERE s.room_id = v_room.id AND s.state IN ('open', 'live')
      FOR NO KEY UPDATE;
      EXIT WHEN FOUND;
      -- The last session is over and this caller opens the next one, unless the room ended or its
      -- tenant was suspended while this transaction waited for the session.
      SELECT r.*
      INTO v_room
      FROM room r
      JOIN tenant t ON t.id = r.tenant_id AND t.suspended_at IS NULL
      WHERE r.id = v_room.id AND r.state = 'active'
      FOR SHARE OF r;
      EXIT WHEN NOT FOUND;
      SELECT d.account_id INTO v_account FROM dial_in_number d WHERE d.e164 = v_room.number;
      EXIT WHEN v_account IS DISTINCT FROM p_leg.account_id;
      -- Of two concurrent callers, the index admits one; the other waits and finds its session.
      INSERT INTO session (id, tenant_id, room_id, state, conversation, due_at, due_reason, account_id)
      VALUES (
        p_session, v_room.tenant_id, v_room.id, 'open', p_conversation,
        now() + make_interval(secs => v_room.max_duration_s), 'max-duration', v_account
      )
      ON CONFLICT DO NOTHING;
    END LOOP;
  END IF;

  -- A conference is at one account. The number may have moved to another account since the call rang.
  IF v_room.id IS NULL
    OR (v_rejection IS NULL AND (v_session.id IS NULL OR v_session.account_id IS DISTINCT FROM p_leg.account_id)) THEN
    outcome := 'no-room';
    RETURN NEXT;
    RETURN;
  END IF;

  IF v_rejection IS NULL AND p_person IS NOT NULL THEN
    SELECT
      count(*) FILTER (WHERE l.state <> 'ended'),
      count(*) FILTER (WHERE l.state NOT IN ('ending', 'ended'))
    INTO v_earlier_calls, v_earlier_seats
    FROM leg l
    WHERE l.session_id = v_session.id AND l.participant_id = p_person;
    muted := COALESCE(
      (
        SELECT l.muted
        FROM leg l
        WHERE l.session_id = v_session.id AND l.participant_id = p_person
        ORDER BY l.created_at DESC, l.id DESC
        LIMIT 1
      ),
      false
    );
  END IF;

  IF v_rejection IS NULL AND (
    SELECT count(*)
    FROM leg l
    WHERE l.session_id = v_session.id AND l.state NOT IN ('ending', 'ended') AND l.kind <> 'bridge'
  ) - v_earlier_seats >= v_room.max_participants THEN
    v_rejection := 'full';
  END IF;
  -- Without a lock: callers who pass while some budget is left are admitted, and ended with the session.
  IF v_rejection IS NULL AND EXISTS (
    SELECT
    FROM measure_spend(v_room.tenant_id, v_room.id, 'inbound', p_leg.number) AS m
    WHERE m.used + m.first_minute > m.allowed
  ) THEN
    v_rejection := 'spent';
  END IF;
  -- Last, because the whole tenant waits for this lock until the commit. Exclusive, because one
  -- transaction admits many callers (libs/store/src/database/batcher.ts).
  IF v_rejection IS NULL AND (
    SELECT h.used - v_earlier_calls >= h.allowed
    FROM lock_limit(v_room.tenant_id, 'live-legs', true) AS h
  ) THEN
    v_rejection := 'at-limit';
  END IF;

  IF v_rejection IS NOT NULL THEN
    -- The goodbye prompt ends the call; Partyline hangs up only if the call outlasts it.
    UPDATE leg l
    SET tries = l.tries + 1,
      version = l.version + 1,
      last_outcome = v_rejection,
      state = 'ending',
      hangup_requested_at = now(),
      hangup_reason = CASE v_rejection WHEN 'at-limit' THEN 'limit-live-legs' ELSE 'room-' || v_rejection END,
      deadline_at = now() + goodbye_time()
    WHERE l.id = p_leg.id;
    outcome := v_rejection;
    muted := false;
    RETURN NEXT;
    RETURN;
  END IF;

  IF p_person IS NULL THEN
    INSERT INTO participant (id, tenant_id, room_id, kind, name, role)
    VALUES (p_participant, v_room.tenant_id, v_room.id, 'caller', 'Caller', p_role);
  END IF;
  UPDATE leg l
  SET tries = l.tries + 1,
    version = l.version + 1,
    last_outcome = 'admitted',
    answered_at = COALESCE(l.answered_at, now()),
    state = answered_state(l.state),
    tenant_id = v_room.tenant_id,
    session_id = v_session.id,
    participant_id = COALESCE(p_person, p_participant),
    role = p_role,
    muted = admit_to_session.muted,
    deadline_at = latest_end(v_session, v_room)
  WHERE l.id = p_leg.id
  RETURNING l.deadline_at INTO admit_to_session.deadline_at;
  -- The leg had no tenant before: this is its first event.
  PERFORM emit_leg_answered(p_leg.id, v_session.id);

  outcome := 'admitted';
  tenant_id := v_room.tenant_id;
  session_id := v_session.id;
  conversation := v_session.conversation;
  waits := waits_for_host(v_room, v_session.id, p_role);
  RETURN NEXT;
END $function$;
ALTER FUNCTION admit_to_session(leg,text,text,text,text,text,text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION admit_to_session(leg,text,text,text,text,text,text) FROM PUBLIC;
CREATE OR REPLACE FUNCTION public.answer_caller(p_jti text, p_jti_expires timestamp with time zone, p_leg text, p_call text, p_number text, p_remote text, p_session text, p_conversation text, p_participant text, p_account text)
 RETURNS TABLE(outcome text, leg_id text, language text, tenant_id text, session_id text, conversation text, waits boolean, deadline_at timestamp with time zone)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET enable_seqscan TO 'off'
 SET search_path TO 'public', 'pg_temp'
AS $function$
DECLARE
  v_leg leg;
  v_number dial_in_number;
  v_room room;
  v_admission record;
  v_guard text := 'ask';
BEGIN
  waits := false;

  SELECT d.*
  INTO v_number
  FROM dial_in_number d
  WHERE d.e164 = p_number AND d.account_id IS NOT DISTINCT FROM p_account;
  language := COALESCE(v_number.language, 'en-US');
  IF v_number.e164 IS NULL THEN
    outcome := 'unknown-number';
    RETURN NEXT;
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM tenant t WHERE t.id = v_number.dedicated_to AND t.suspended_at IS NOT NULL) THEN
    outcome := 'suspended';
    RETURN NEXT;
    RETURN;
  END IF;

  INSERT INTO webhook_jti (jti, expires_at) VALUES (p_jti, p_jti_expires) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    outcome := 'replayed';
    RETURN NEXT;
    RETURN;
  END IF;

  IF v_number.tenant_account_id IS NOT NULL AND is_account_busy(p_account, p_call) THEN
    outcome := 'account-busy';
    RETURN NEXT;
    RETURN;
  END IF;

  IF v_number.dedicated_to IS NOT NULL THEN
    SELECT r.*
    INTO v_room
    FROM room r
    WHERE r.number = p_number AND r.tenant_id = v_number.dedicated_to AND r.state = 'active' AND r.pinless;
  END IF;
  IF v_room.id IS NULL THEN
    v_guard := guard_caller(v_number, p_remote, p_call);
  END IF;
  IF v_guard = 'busy' THEN
    outcome := v_guard;
    RETURN NEXT;
    RETURN;
  END IF;

  -- A number at a tenant's account is that tenant's, and so is each call to it.
  INSERT INTO leg (id, tenant_id, kind, state, number, remote, voice_call_id, slow, known, deadline_at, account_id)
  VALUES (
    p_leg, CASE WHEN v_number.tenant_account_id IS NOT NULL THEN v_number.dedicated_to END, 'inbound', 'ringing', p_number,
    p_remote, p_call, v_guard <> 'ask', v_guard = 'known', now() + pin_entry_time(v_guard <> 'ask'), p_account
  )
  ON CONFLICT (voice_call_id) DO NOTHING;
  SELECT *
  INTO v_leg
  FROM leg l
  WHERE l.voice_call_id = p_call AND l.account_id IS NOT DISTINCT FROM p_account
  FOR NO KEY UPDATE;
  -- The call belongs to another account.
  IF NOT FOUND THEN
    outcome := 'unknown-number';
    RETURN NEXT;
    RETURN;
  END IF;
  leg_id := v_leg.id;

  IF v_room.id IS NOT NULL AND v_leg.last_outcome IS NOT NULL THEN
    -- A repeated webhook: the same answer, unless the call is to end by now.
    RETURN QUERY
      SELECT
        CASE
          WHEN v_leg.last_outcome = 'admitted'
            AND (v_leg.state IN ('ending', 'ended') OR s.state IS NULL OR s.state NOT IN ('open', 'live'))
            THEN 'hang-up'
          ELSE v_leg.last_outcome
        END,
        v_leg.id, v_number.language, v_leg.tenant_id, v_leg.session_id, s.conversation,
        waits_for_host(v_room, v_leg.session_id, v_leg.role),
        latest_end(s, r)
      FROM (SELECT 1) AS one_row
      LEFT JOIN session s ON s.id = v_leg.session_id
      LEFT JOIN room r ON r.id = s.room_id;
    RETURN;
  END IF;
  IF v_leg.state IN ('ending', 'ended') THEN
    outcome := 'hang-up';
    RETURN NEXT;
    RETURN;
  END IF;

  IF v_room.id IS NOT NULL AND v_leg.session_id IS NULL THEN
    SELECT *
    INTO v_admission
    FROM admit_to_session(v_leg, v_room.id, 'participant', NULL, p_session, p_conversation, p_participant);
    IF v_admission.outcome <> 'no-room' THEN
      outcome := v_admission.outcome;
      tenant_id := v_admission.tenant_id;
      session_id := v_admission.session_id;
      conversation := v_admission.conversation;
      waits := v_admission.waits;
      deadline_at := v_admission.deadline_at;
      RETURN NEXT;
      RETURN;
    END IF;
    -- The room ended just now. The caller is not asked for a PIN, because guard_caller was not called.
    UPDATE leg l
    SET version = l.version + 1, last_outcome = 'over', state = 'ending',
      hangup_requested_at = now(), hangup_reason = 'room-over', deadline_at = now() + goodbye_time()
    WHERE l.id = v_leg.id;
    outcome := 'over';
    RETURN NEXT;
    RETURN;
  END IF;

  outcome := CASE WHEN v_leg.slow THEN 'ask-slowly' ELSE 'ask' END;
  RETURN NEXT;
END $function$;
ALTER FUNCTION answer_caller(text,timestamp with time zone,text,text,text,text,text,text,text,text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION answer_caller(text,timestamp with time zone,text,text,text,text,text,text,text,text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION answer_caller(text,timestamp with time zone,text,text,text,text,text,text,text,text) TO partyline_tenant;
CREATE OR REPLACE FUNCTION public.answer_own_leg(p_jti text, p_jti_expires timestamp with time zone, p_leg text, p_token_hash bytea, p_call text, p_account text)
 RETURNS TABLE(outcome text, tenant_id text, session_id text, conversation text, leg_id text, kind text, waits boolean, deadline_at timestamp with time zone)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET enable_seqscan TO 'off'
 SET search_path TO 'public', 'pg_temp'
AS $function$
DECLARE
  v_leg leg;
  v_of_call leg;
  v_session session;
  v_room room;
BEGIN
  waits := false;

  INSERT INTO webhook_jti (jti, expires_at) VALUES (p_jti, p_jti_expires) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    outcome := 'replayed';
    RETURN NEXT;
    RETURN;
  END IF;

  SELECT s.*
  INTO v_session
  FROM leg l
  JOIN session s ON s.id = l.session_id
  WHERE (
      (p_token_hash IS NOT NULL AND l.token_hash = p_token_hash AND l.kind = 'bridge')
      OR (p_token_hash IS NULL AND l.id = p_leg AND l.kind = 'outbound')
    )
    AND l.account_id IS NOT DISTINCT FROM p_account
  FOR NO KEY UPDATE OF s;
  IF FOUND THEN
    SELECT l.*
    INTO v_leg
    FROM leg l
    WHERE (p_token_hash IS NOT NULL AND l.token_hash = p_token_hash AND l.kind = 'bridge')
      OR (p_token_hash IS NULL AND l.id = p_leg AND l.kind = 'outbound')
    FOR NO KEY UPDATE;
    SELECT l.*
    INTO v_of_call
    FROM leg l
    WHERE l.voice_call_id = p_call
    FOR NO KEY UPDATE;
    IF v_of_call.id <> v_leg.id THEN
      IF v_of_call.session_id = v_session.id AND v_of_call.kind = 'outbound'
        AND v_leg.kind = 'outbound' AND v_leg.voice_call_id IS NULL THEN
        v_leg := v_of_call;
      ELSE
        v_leg := NULL;
      END IF;
    END IF;
  END IF;
  -- A token is valid for one call. Another call that presents it is unknown, and so is another leg's call.
  IF v_leg.id IS NULL OR (v_leg.voice_call_id IS NOT NULL AND v_leg.voice_call_id <> p_call) THEN
    outcome := 'unknown-leg';
    RETURN NEXT;
    RETURN;
  END IF;
  tenant_id := v_leg.tenant_id;
  session_id := v_leg.session_id;
  leg_id := v_leg.id;
  kind := v_leg.kind;

  IF v_leg.state IN ('ending', 'ended') OR v_session.state NOT IN ('open', 'live') THEN
    -- Due for a hang-up attempt at once: earlier attempts had no call id to name.
    UPDATE leg l
    SET voice_call_id = p_call, version = l.version + 1, hangup_attempted_at = NULL
    WHERE l.id = v_leg.id AND l.voice_call_id IS NULL;
    outcome := 'hang-up';
    RETURN NEXT;
    RETURN;
  END IF;

  UPDATE leg l
  SET voice_call_id = p_call,
    version = l.version + 1,
    answered_at = COALESCE(l.answered_at, now()),
    state = answered_state(l.state)
  WHERE l.id = v_leg.id;
  IF v_leg.state = answered_state(v_leg.state) THEN
    UPDATE session s SET settle_due_at = now(), version = s.version + 1 WHERE s.id = v_session.id;
  ELSE
    PERFORM emit_leg_answered(v_leg.id, v_session.id);
  END IF;

  outcome := 'join';
  conversation := v_session.conversation;
  SELECT r.* INTO v_room FROM room r WHERE r.id = v_session.room_id;
  deadline_at := latest_end(v_session, v_room);
  waits := v_leg.kind = 'outbound' AND waits_for_host(v_room, v_session.id, v_leg.role);
  RETURN NEXT;
END $function$;
ALTER FUNCTION answer_own_leg(text,timestamp with time zone,text,bytea,text,text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION answer_own_leg(text,timestamp with time zone,text,bytea,text,text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION answer_own_leg(text,timestamp with time zone,text,bytea,text,text) TO partyline_tenant;
CREATE OR REPLACE FUNCTION public.answered_state(p_state text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  SELECT CASE WHEN p_state IN ('requested', 'dialling', 'ringing') THEN 'answered' ELSE p_state END
$function$;
CREATE OR REPLACE FUNCTION public.count_pins(p_number text)
 RETURNS integer
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  SELECT count(*)::int
  FROM (
    SELECT
    FROM pin
    WHERE number = p_number AND quarantined_until IS NULL
    LIMIT 7000
  ) AS counted
$function$;
ALTER FUNCTION count_pins(text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION count_pins(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION count_pins(text) TO partyline_tenant;
CREATE OR REPLACE FUNCTION public.describe_event(p_room text, p_data jsonb)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  SELECT
    p_data
    || jsonb_build_object('externalId', (SELECT r.external_id FROM room r WHERE r.id = p_room))
    || COALESCE(
      (
        SELECT jsonb_build_object(
          'name', person.name,
          'role', person.role,
          'number', CASE
            WHEN length(person.remote) <= 7 THEN '***'
            ELSE left(person.remote, 4) || repeat('*', length(person.remote) - 6) || right(person.remote, 2)
          END
        )
        FROM (
          SELECT p.name, CASE WHEN l.kind <> 'bridge' THEN l.role END AS role, l.remote
          FROM leg l
          LEFT JOIN participant p ON p.id = l.participant_id
          WHERE l.id = p_data ->> 'legId'
          UNION ALL
          SELECT p.name, p.role, (
            SELECT l.remote
            FROM leg l
            WHERE l.participant_id = p.id
            ORDER BY l.state <> 'ended' DESC, l.created_at DESC, l.id DESC
            LIMIT 1
          )
          FROM participant p
          WHERE p.id = p_data ->> 'participantId' AND NOT p_data ? 'legId'
        ) AS person
      ),
      '{}'
    )
$function$;
REVOKE ALL ON FUNCTION describe_event(text,jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION describe_event(text,jsonb) TO partyline_platform;
GRANT EXECUTE ON FUNCTION describe_event(text,jsonb) TO partyline_tenant;
CREATE OR REPLACE FUNCTION public.emit_leg_answered(p_leg text, p_session text)
 RETURNS void
 LANGUAGE sql
AS $function$
  WITH changed AS (
    UPDATE session s
    SET settle_due_at = now(), version = s.version + 1, last_seq = s.last_seq + 1
    WHERE s.id = p_session
    RETURNING s.*
  ),
  emitted AS (
    INSERT INTO outbox (tenant_id, room_id, session_id, seq, type, data, created_at)
    SELECT
      c.tenant_id, c.room_id, c.id, c.last_seq, 'leg.answered',
      describe_event(
        c.room_id,
        jsonb_build_object('legId', l.id, 'kind', l.kind, 'participantId', l.participant_id)
      ),
      clock_timestamp()
    FROM changed c
    JOIN leg l ON l.id = p_leg
    RETURNING id, tenant_id, session_id, seq, type
  )
  INSERT INTO delivery (id, tenant_id, endpoint_id, event_id, stream, seq, next_try_at)
  SELECT
    'dlv_' || translate(rtrim(encode(uuid_send(gen_random_uuid()), 'base64'), '='), '+/', '-_'),
    t.tenant_id, e.id, t.id, t.session_id, t.seq, date_trunc('milliseconds', now())
  FROM emitted t
  JOIN endpoint e
    ON e.tenant_id = t.tenant_id
    AND e.enabled
    AND e.deleted_at IS NULL
    AND (e.types = '{}' OR t.type = ANY (e.types))
$function$;
REVOKE ALL ON FUNCTION emit_leg_answered(text,text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION emit_leg_answered(text,text) TO partyline_platform;
CREATE OR REPLACE FUNCTION public.enter_slow_mode(p_number text, p_tries bigint)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
DECLARE
  v_number dial_in_number;
  v_spent double precision;
  v_month double precision := month_guess_odds(p_number);
  v_odds double precision := 1e-5;
BEGIN
  SELECT d.* INTO v_number FROM dial_in_number d WHERE d.e164 = p_number;
  IF v_number.slow_until > now() THEN
    RETURN true;
  END IF;

  SELECT COALESCE(sum(l.pin_guess_odds), 0)
  INTO v_spent
  FROM leg l
  WHERE l.number = p_number
    AND l.account_id IS NOT DISTINCT FROM v_number.account_id
    AND l.last_wrong_pin_at > now() - interval '1 day';
  -- The first check uses the worst odds that a number can have (libs/domain/src/pin.ts); the PINs are
  -- counted only when it fails.
  FOR v_check IN 1..2 LOOP
    IF v_spent + (p_tries + max_pin_attempts(false)) * v_odds <= 0.0005
      AND v_month + (p_tries + max_pin_attempts(false)) * v_odds <= 0.0025 THEN
      RETURN false;
    END IF;
    v_odds := pin_guess_odds(p_number);
  END LOOP;

  IF v_month + (p_tries + max_pin_attempts(false)) * v_odds > 0.0025 THEN
    UPDATE dial_in_number d
    SET slow_until = (date_trunc('day', now() AT TIME ZONE 'UTC') + interval '1 day') AT TIME ZONE 'UTC'
    WHERE d.e164 = p_number;
    RETURN true;
  END IF;

  UPDATE dial_in_number d
  SET slow_until = COALESCE(
    (
      SELECT recent.last_wrong_pin_at + interval '1 day'
      FROM (
        SELECT
          l.last_wrong_pin_at,
          sum(l.pin_guess_odds) OVER (ORDER BY l.last_wrong_pin_at DESC) AS odds_since
        FROM leg l
        WHERE l.number = p_number
          AND l.account_id IS NOT DISTINCT FROM v_number.account_id
          AND l.last_wrong_pin_at > now() - interval '1 day'
      ) AS recent
      WHERE recent.odds_since > GREATEST(0, 0.0005 - max_pin_attempts(false) * v_number.max_unadmitted * v_odds)
      ORDER BY recent.last_wrong_pin_at DESC
      LIMIT 1
    ),
    d.slow_until
  )
  WHERE d.e164 = p_number;
  RETURN true;
END $function$;
ALTER FUNCTION enter_slow_mode(text,bigint) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION enter_slow_mode(text,bigint) FROM PUBLIC;
CREATE OR REPLACE FUNCTION public.estimate_other_currencies(p_tenant text, p_room text, p_currency text)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
AS $function$
BEGIN
  RETURN (
    SELECT COALESCE(
      sum(o.records * (o.seconds * rate_per_minute(o.direction, o.handle, o.rated, p_currency) / 60)),
      0
    )
    FROM (
      SELECT
        c.direction,
        c.handle,
        CASE c.direction
          WHEN 'outbound' THEN (SELECT l.remote FROM leg l WHERE l.id = c.leg_id)
          ELSE c.number
        END AS rated,
        c.seconds,
        count(*) AS records
      FROM (
        SELECT *
        FROM cdr m
        WHERE p_room IS NULL AND m.tenant_id = p_tenant AND m.ended_at >= this_month()
        UNION ALL
        SELECT *
        FROM cdr r
        WHERE r.room_id = p_room AND r.tenant_id = p_tenant
      ) AS c
      WHERE c.currency <> p_currency AND c.tenant_currency IS DISTINCT FROM p_currency
      GROUP BY 1, 2, 3, 4
    ) AS o
  );
END $function$;
CREATE OR REPLACE FUNCTION public.goodbye_time()
 RETURNS interval
 LANGUAGE sql
 IMMUTABLE
AS $function$
  SELECT interval '15 seconds'
$function$;
CREATE OR REPLACE FUNCTION public.guard_caller(p_number dial_in_number, p_remote text, p_call text)
 RETURNS text
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
AS $function$
DECLARE
  v_is_delayed boolean := false;
  v_slow boolean := p_number.slow_until IS NOT NULL AND p_number.slow_until > now();
  v_guard text;
  -- Callers without a caller id share half of the number.
  v_max_of_caller_id int := CASE
    WHEN p_remote IS NULL THEN GREATEST(1, p_number.max_unadmitted / 2)
    ELSE p_number.max_per_caller_id
  END;
  v_wrong int;
  v_last timestamptz;
  v_asked record;
BEGIN
  IF NOT p_number.guarded OR EXISTS (SELECT FROM leg l WHERE l.voice_call_id = p_call) THEN
    RETURN 'ask';
  END IF;

  -- Many callers share a withheld caller id, so it is not delayed for wrong PINs.
  IF p_remote IS NOT NULL THEN
    SELECT count(*), max(COALESCE(l.ended_at, l.hangup_requested_at))
    INTO v_wrong, v_last
    FROM leg l
    WHERE l.kind = 'inbound'
      AND l.remote = p_remote
      AND COALESCE(l.account_id, '') = COALESCE(p_number.account_id, '')
      -- Neither silence nor digits that cannot be a PIN are a wrong PIN.
      AND l.last_wrong_pin_at IS NOT NULL
      AND l.last_outcome IN ('wrong-pin', 'refused', 'no-digits', 'silent')
      AND l.state IN ('ending', 'ended')
      AND l.created_at > GREATEST(
        now() - interval '1 day',
        COALESCE(
          (
            SELECT a.created_at
            FROM leg a
            WHERE a.kind = 'inbound'
              AND a.remote = p_remote
              AND COALESCE(a.account_id, '') = COALESCE(p_number.account_id, '')
              AND a.last_outcome = 'admitted'
            ORDER BY a.created_at DESC
            LIMIT 1
          ),
          '-infinity'
        )
      );
    v_is_delayed := v_wrong > 0
      AND v_last + LEAST(interval '1 hour', interval '15 seconds' * 2 ^ LEAST(v_wrong - 1, 10)) > now();
  END IF;

  FOR v_check IN 1..2 LOOP
    SELECT
      count(*) AS callers,
      count(*) FILTER (WHERE l.remote IS NOT DISTINCT FROM p_remote) AS of_this_caller_id,
      count(*) FILTER (WHERE l.slow AND NOT l.known) AS strangers,
      count(*) FILTER (WHERE l.known) AS known,
      COALESCE(sum(max_pin_attempts(l.slow) - l.tries), 0) AS tries
    INTO v_asked
    FROM leg l
    WHERE l.kind = 'inbound'
      AND l.session_id IS NULL
      AND l.state NOT IN ('ending', 'ended')
      AND l.number = p_number.e164
      AND l.account_id IS NOT DISTINCT FROM p_number.account_id;
    IF v_asked.callers >= p_number.max_unadmitted OR v_asked.of_this_caller_id >= v_max_of_caller_id THEN
      RETURN 'busy';
    END IF;
    IF v_check = 2 THEN
      v_slow := enter_slow_mode(p_number.e164, v_asked.tries);
    END IF;
    v_guard := CASE
      WHEN v_slow THEN guard_slow_mode(p_number, p_remote, v_asked.strangers, v_asked.known)
      WHEN v_is_delayed THEN 'slow'
      ELSE 'ask'
    END;
    IF v_guard = 'busy' THEN
      RETURN v_guard;
    END IF;
    IF v_check = 1 THEN
      PERFORM pg_advisory_xact_lock(hashtextextended('callers of ' || p_number.e164, 0));
    END IF;
  END LOOP;
  RETURN v_guard;
END $function$;
ALTER FUNCTION guard_caller(dial_in_number,text,text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION guard_caller(dial_in_number,text,text) FROM PUBLIC;
CREATE OR REPLACE FUNCTION public.guard_slow_mode(p_number dial_in_number, p_remote text, p_strangers bigint, p_known bigint)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
DECLARE
  v_odds double precision := pin_guess_odds(p_number.e164);
  v_share double precision;
  v_guesses_per_day double precision;
  v_guesses_per_period double precision;
BEGIN
  IF v_odds = 0 THEN
    RETURN 'slow';
  END IF;
  v_share := slow_mode_share(p_number, v_odds);

  IF EXISTS (
      SELECT
      FROM leg a
      WHERE a.kind = 'inbound'
        AND a.remote = p_remote
        AND COALESCE(a.account_id, '') = COALESCE(p_number.account_id, '')
        AND a.last_outcome = 'admitted'
        AND a.created_at > now() - interval '30 days'
    )
    AND (
      SELECT count(*)
      FROM leg l
      WHERE l.kind = 'inbound'
        AND l.remote = p_remote
        AND COALESCE(l.account_id, '') = COALESCE(p_number.account_id, '')
        AND l.created_at > now() - interval '1 day'
        AND l.known
        AND l.pin_guess_odds > 0
    ) < 5
    AND (
      SELECT COALESCE(sum(l.pin_guess_odds), 0)
      FROM leg l
      WHERE l.number = p_number.e164
        AND l.account_id IS NOT DISTINCT FROM p_number.account_id
        AND l.last_wrong_pin_at > now() - interval '1 day'
        AND l.known
    ) + (p_known + 1) * v_odds <= v_share THEN
    RETURN 'known';
  END IF;

  -- At least one guess a day, whatever its odds, so that every number accepts strangers.
  v_guesses_per_day := GREATEST(1, floor(v_share / v_odds));
  v_guesses_per_period := GREATEST(1, floor(v_guesses_per_day / 96));
  -- Half of the concurrent callers of the number are reserved for known callers.
  IF p_strangers >= GREATEST(1, p_number.max_unadmitted / 2)
    OR p_strangers + (
      SELECT count(*)
      FROM leg l
      WHERE l.number = p_number.e164
        AND l.account_id IS NOT DISTINCT FROM p_number.account_id
        AND l.last_wrong_pin_at
          > now() - make_interval(secs => ceil(86400 / floor(v_guesses_per_day / v_guesses_per_period)))
        AND l.slow
        AND NOT l.known
    ) >= v_guesses_per_period THEN
    RETURN 'busy';
  END IF;
  RETURN 'slow';
END $function$;
ALTER FUNCTION guard_slow_mode(dial_in_number,text,bigint,bigint) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION guard_slow_mode(dial_in_number,text,bigint,bigint) FROM PUBLIC;
CREATE OR REPLACE FUNCTION public.has_spend_limit(p_tenant text, p_room text)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  SELECT EXISTS (
      SELECT
      FROM tenant t
      WHERE t.id = p_tenant AND (t.max_spend_micro_per_month IS NOT NULL OR t.max_minutes_per_month IS NOT NULL)
    )
    OR EXISTS (
      SELECT
      FROM room r
      WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.max_spend_micro IS NOT NULL
    )
$function$;
CREATE OR REPLACE FUNCTION public.is_account_busy(p_account text, p_call text)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET enable_seqscan TO 'off'
AS $function$
  SELECT NOT EXISTS (SELECT FROM leg l WHERE l.voice_call_id = p_call)
    AND (
      (
        SELECT count(*)
        FROM leg l
        WHERE l.account_id = p_account
          AND l.state <> 'ended'
          AND l.voice_call_id IS NOT NULL
          AND (l.session_id IS NULL OR l.hangup_requested_at < now() - interval '1 minute')
      ) + (
        SELECT count(*)
        FROM leg l
        WHERE l.account_id = p_account AND l.voice_missing_lists >= 3 AND l.ended_at > now() - interval '1 hour'
      ) >= max_unseen_calls()
      OR (
        SELECT count(*)
        FROM leg l
        WHERE l.account_id = p_account AND l.kind = 'inbound' AND l.created_at > now() - interval '1 hour'
      ) >= max_legs_per_hour()
    )
$function$;
ALTER FUNCTION is_account_busy(text,text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION is_account_busy(text,text) FROM PUBLIC;
CREATE OR REPLACE FUNCTION public.isolate_tenants(p_table regclass, p_grants text DEFAULT 'SELECT, INSERT, UPDATE, DELETE'::text, p_visible text DEFAULT 'tenant_id = (SELECT tenant_in_context())'::text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', p_table);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', p_table);
  EXECUTE format(
    'CREATE POLICY tenant_rows ON %s TO partyline_tenant USING (%s) '
      'WITH CHECK (tenant_id = (SELECT tenant_in_context()))',
    p_table, p_visible
  );
  EXECUTE format('CREATE POLICY every_row ON %s TO partyline_platform USING (true) WITH CHECK (true)', p_table);
  EXECUTE format('GRANT %s ON %s TO partyline_tenant', p_grants, p_table);
  PERFORM share_with_platform(p_table);
END $function$;
CREATE OR REPLACE FUNCTION public.latest_end(p_session session, p_room room)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
AS $function$
  SELECT LEAST(p_session.created_at + make_interval(secs => p_room.max_duration_s), p_room.ends_at)
$function$;
ALTER FUNCTION latest_end(session,room) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION latest_end(session,room) FROM PUBLIC;
CREATE OR REPLACE FUNCTION public.lock_limit(p_tenant text, p_limit text, p_alone boolean DEFAULT false)
 RETURNS TABLE(allowed integer, used integer)
 LANGUAGE plpgsql
AS $function$
DECLARE
  v_key bigint := hashtextextended(p_limit || ' ' || p_tenant, 0);
  v_connections int := current_setting('max_connections')::int;
BEGIN
  SELECT r.allowed, r.used INTO allowed, used FROM read_limit(p_tenant, p_limit) AS r;
  IF NOT p_alone AND used + 2 * v_connections <= allowed THEN
    PERFORM pg_advisory_xact_lock_shared(v_key);
    SELECT r.allowed, r.used INTO allowed, used FROM read_limit(p_tenant, p_limit) AS r;
    -- Near the limit by now. Two holders of the shared lock that upgrade it would deadlock, so the
    -- transaction runs again.
    IF used + v_connections > allowed THEN
      RAISE EXCEPTION 'the limit came near while the lock was waited for' USING ERRCODE = 'serialization_failure';
    END IF;
  ELSE
    PERFORM pg_advisory_xact_lock(v_key);
    SELECT r.allowed, r.used INTO allowed, used FROM read_limit(p_tenant, p_limit) AS r;
  END IF;
  RETURN NEXT;
END $function$;
CREATE OR REPLACE FUNCTION public.lock_number(p_tenant text, p_number text)
 RETURNS TABLE(dedicated boolean, account_id text)
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  SELECT d.dedicated_to IS NOT NULL, d.account_id
  FROM dial_in_number d
  WHERE d.e164 = p_number AND (d.dedicated_to IS NULL OR d.dedicated_to = p_tenant)
  FOR KEY SHARE
$function$;
ALTER FUNCTION lock_number(text,text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION lock_number(text,text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lock_number(text,text) TO partyline_tenant;
CREATE OR REPLACE FUNCTION public.lock_spend(p_tenant text, p_room text, p_direction text, p_number text)
 RETURNS TABLE(scope text, used bigint, allowed bigint, first_minute bigint, currency text)
 LANGUAGE plpgsql
AS $function$
BEGIN
  IF NOT has_spend_limit(p_tenant, p_room) THEN
    RETURN;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('spend ' || p_tenant, 0));
  RETURN QUERY SELECT * FROM measure_spend(p_tenant, p_room, p_direction, p_number);
END $function$;
CREATE OR REPLACE FUNCTION public.maintain_sums()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  IF TG_OP <> 'INSERT' AND OLD.tenant_id IS NOT NULL THEN
    PERFORM add_to_sums(OLD, -1);
  END IF;
  IF TG_OP <> 'DELETE' AND NEW.tenant_id IS NOT NULL THEN
    PERFORM add_to_sums(NEW, 1);
  END IF;
  RETURN NULL;
END $function$;
CREATE OR REPLACE FUNCTION public.max_legs_per_hour()
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
AS $function$
  SELECT 3600
$function$;
CREATE OR REPLACE FUNCTION public.max_pin_attempts(p_slow boolean)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
AS $function$
  SELECT CASE WHEN p_slow THEN 1 ELSE 3 END
$function$;
CREATE OR REPLACE FUNCTION public.max_silent_prompts()
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
AS $function$
  SELECT 3
$function$;
CREATE OR REPLACE FUNCTION public.max_unseen_calls()
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
AS $function$
  SELECT 200
$function$;
CREATE OR REPLACE FUNCTION public.measure_spend(p_tenant text, p_room text, p_direction text, p_number text)
 RETURNS TABLE(scope text, used bigint, allowed bigint, first_minute bigint, currency text)
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
AS $function$
DECLARE
  v_tenant tenant;
  v_room_limit bigint;
  v_first_minute bigint;
BEGIN
  IF NOT has_spend_limit(p_tenant, p_room) THEN
    RETURN;
  END IF;
  SELECT t.* INTO v_tenant FROM tenant t WHERE t.id = p_tenant;
  SELECT r.max_spend_micro INTO v_room_limit FROM room r WHERE r.id = p_room AND r.tenant_id = p_tenant;
  v_first_minute := rate_per_minute(
    p_direction, CASE p_direction WHEN 'webrtc' THEN 'media' ELSE 'voice' END, p_number, v_tenant.currency
  );
  RETURN QUERY
    WITH running AS MATERIALIZED (
      SELECT * FROM running_cost(p_tenant)
    ),
    month AS MATERIALIZED (
      SELECT * FROM month_spent(p_tenant, v_tenant.currency)
    )
    SELECT
      'tenant-spend',
      (month.micro + (SELECT COALESCE(sum(r.micro), 0) FROM running r))::bigint,
      v_tenant.max_spend_micro_per_month, v_first_minute, v_tenant.currency
    FROM month
    WHERE v_tenant.max_spend_micro_per_month IS NOT NULL
    UNION ALL
    SELECT
      'tenant-minutes',
      (month.seconds + (SELECT COALESCE(sum(r.seconds), 0) FROM running r))::bigint,
      v_tenant.max_minutes_per_month * 60::bigint, 60::bigint, v_tenant.currency
    FROM month
    WHERE v_tenant.max_minutes_per_month IS NOT NULL
    UNION ALL
    SELECT
      'room-spend',
      room_spent(p_tenant, p_room, v_tenant.currency)
        + (SELECT COALESCE(sum(r.micro), 0) FROM running r WHERE r.room_id = p_room)::bigint,
      v_room_limit, v_first_minute, v_tenant.currency
    WHERE v_room_limit IS NOT NULL;
END $function$;
CREATE OR REPLACE FUNCTION public.month_guess_odds(p_number text)
 RETURNS double precision
 LANGUAGE plpgsql
 STABLE
AS $function$
BEGIN
  RETURN (
    SELECT COALESCE(sum(g.odds), 0)
    FROM pin_guess_day g
    WHERE g.number = p_number AND g.day >= (now() AT TIME ZONE 'UTC')::date - 30
  );
END $function$;
ALTER FUNCTION month_guess_odds(text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION month_guess_odds(text) FROM PUBLIC;
CREATE OR REPLACE FUNCTION public.month_spent(p_tenant text, p_currency text)
 RETURNS TABLE(seconds bigint, micro bigint)
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
AS $function$
DECLARE
  v_others boolean;
BEGIN
  SELECT
    COALESCE(sum(s.seconds), 0),
    ceil(COALESCE(sum(CASE p_currency WHEN s.currency THEN s.micro WHEN s.tenant_currency THEN s.tenant_micro END), 0)),
    COALESCE(bool_or(s.seconds <> 0 AND p_currency NOT IN (s.currency, s.tenant_currency)), false)
  INTO seconds, micro, v_others
  FROM month_sum s
  WHERE s.tenant_id = p_tenant AND s.month >= this_month();
  IF v_others THEN
    micro := micro + estimate_other_currencies(p_tenant, NULL, p_currency);
  END IF;
  RETURN NEXT;
END $function$;
CREATE OR REPLACE FUNCTION public.pin_entry_time(p_slow boolean)
 RETURNS interval
 LANGUAGE sql
 IMMUTABLE
AS $function$
  SELECT CASE WHEN p_slow THEN interval '110 seconds' ELSE interval '80 seconds' END
$function$;
CREATE OR REPLACE FUNCTION public.pin_guess_odds(p_number text)
 RETURNS double precision
 LANGUAGE plpgsql
 STABLE
AS $function$
BEGIN
  RETURN (
    SELECT COALESCE(max(n / (10 * 9::double precision ^ (digits - 1))), 0)
    FROM (
      SELECT COALESCE(p.digits, 6) AS digits, count(*) AS n
      FROM pin p
      JOIN dial_in_number d ON d.e164 = p.number AND d.guarded
      WHERE p.number = p_number AND p.quarantined_until IS NULL
      GROUP BY 1
    ) AS lengths
  );
END $function$;
ALTER FUNCTION pin_guess_odds(text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION pin_guess_odds(text) FROM PUBLIC;
CREATE OR REPLACE FUNCTION public.queue_dial(p_tenant text, p_account text, OUT ahead integer, OUT total integer)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('dials of ' || coalesce(p_account, 'platform'), 0));
  WITH waiting AS (
    SELECT c.tenant_id, count(*)::int AS n
    FROM (
      SELECT l.tenant_id
      FROM leg l
      WHERE l.state = 'requested' AND l.kind = 'outbound' AND l.account_id IS NOT DISTINCT FROM p_account
      UNION ALL
      SELECT s.tenant_id
      FROM session s
      WHERE s.bridge_due_at IS NOT NULL AND s.account_id IS NOT DISTINCT FROM p_account
      UNION ALL
      SELECT l.tenant_id
      FROM leg l
      WHERE l.state = 'dialling' AND l.kind = 'bridge' AND l.media_connection_id IS NULL
        AND l.dialled_at > now() - interval '8 seconds' AND l.account_id IS NOT DISTINCT FROM p_account
    ) AS c
    GROUP BY c.tenant_id
  ),
  own AS (
    SELECT coalesce(max(w.n), 0) AS n FROM waiting w WHERE w.tenant_id = p_tenant
  )
  SELECT coalesce(sum(least(w.n, own.n)), 0)::int, coalesce(sum(w.n), 0)::int
  INTO ahead, total
  FROM waiting w, own;
END $function$;
ALTER FUNCTION queue_dial(text,text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION queue_dial(text,text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION queue_dial(text,text) TO partyline_tenant;
CREATE OR REPLACE FUNCTION public.rate_per_minute(p_direction text, p_handle text, p_number text, p_currency text)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
AS $function$
BEGIN
  RETURN COALESCE(
    (
      SELECT r.micro_per_minute
      FROM platform_rate r
      WHERE r.what = CASE p_direction WHEN 'bridge' THEN 'bridge-' || p_handle ELSE p_direction END
        AND r.currency = p_currency
        AND COALESCE(p_number, '') LIKE r.prefix || '%'
      ORDER BY length(r.prefix) DESC
      LIMIT 1
    ),
    1000000
  );
END $function$;
CREATE OR REPLACE FUNCTION public.read_limit(p_tenant text, p_limit text)
 RETURNS TABLE(allowed integer, used integer)
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
AS $function$
BEGIN
  CASE p_limit
    WHEN 'live-rooms' THEN
      SELECT COALESCE(t.max_live_rooms, p.max_live_rooms)
      INTO allowed
      FROM platform_limit p
      LEFT JOIN tenant t ON t.id = p_tenant;
      SELECT count(*)
      INTO used
      FROM room r
      WHERE r.tenant_id = p_tenant AND r.state = 'active';
    WHEN 'live-legs' THEN
      SELECT COALESCE(t.max_live_legs, p.max_live_legs)
      INTO allowed
      FROM platform_limit p
      LEFT JOIN tenant t ON t.id = p_tenant;
      SELECT count(*)
      INTO used
      FROM leg l
      WHERE l.tenant_id = p_tenant AND l.session_id IS NOT NULL AND l.state <> 'ended' AND l.kind <> 'bridge';
    WHEN 'dial-outs' THEN
      SELECT COALESCE(t.max_dial_outs_per_minute, p.max_dial_outs_per_minute)
      INTO allowed
      FROM platform_limit p
      LEFT JOIN tenant t ON t.id = p_tenant;
      SELECT count(*)
      INTO used
      FROM leg l
      WHERE l.tenant_id = p_tenant AND l.kind = 'outbound' AND l.created_at > clock_timestamp() - interval '1 minute';
  END CASE;
  RETURN NEXT;
END $function$;
CREATE OR REPLACE FUNCTION public.reestimate(p_cdr cdr, p_seconds integer, p_currency text)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
AS $function$
BEGIN
  RETURN p_seconds * rate_per_minute(
    p_cdr.direction,
    p_cdr.handle,
    CASE p_cdr.direction
      WHEN 'outbound' THEN (SELECT l.remote FROM leg l WHERE l.id = p_cdr.leg_id)
      ELSE p_cdr.number
    END,
    p_currency
  ) / 60;
END $function$;
CREATE OR REPLACE FUNCTION public.reserve_pin(p_number text, p_lookups bytea[], p_heads bytea[], p_digits integer)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
DECLARE
  v_head bytea;
BEGIN
  FOREACH v_head IN ARRAY p_heads LOOP
    IF NOT pg_try_advisory_xact_lock(
      hashtextextended('pins of ' || p_number || ' ' || encode(v_head, 'hex'), 0)
    ) THEN
      RETURN false;
    END IF;
  END LOOP;
  -- A second statement sees the PINs that were committed before the locks were taken.
  RETURN NOT EXISTS (
      SELECT
      FROM pin p
      WHERE p.number = p_number AND p.head = ANY (p_heads) AND p.digits IS DISTINCT FROM p_digits
    )
    AND NOT EXISTS (SELECT FROM pin p WHERE p.number = p_number AND p.lookup = ANY (p_lookups));
END $function$;
ALTER FUNCTION reserve_pin(text,bytea[],bytea[],integer) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION reserve_pin(text,bytea[],bytea[],integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reserve_pin(text,bytea[],bytea[],integer) TO partyline_tenant;
CREATE OR REPLACE FUNCTION public.reserve_slot(p_account text, p_lane text, p_share text, p_interval interval, p_max_share_wait interval, p_max_wait interval, p_spread_retries boolean, OUT wait_ms double precision, OUT retry_after_ms double precision)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
DECLARE
  v_lane_next timestamptz;
  v_share provider_rate_limit;
  v_now timestamptz;
  v_at timestamptz;
BEGIN
  INSERT INTO provider_rate_limit (account, lane, share, next_slot_at)
  SELECT p_account, p_lane, s, date_trunc('milliseconds', clock_timestamp())
  FROM unnest(ARRAY['', p_share]) AS s
  ON CONFLICT DO NOTHING;

  SELECT p.next_slot_at
  INTO v_lane_next
  FROM provider_rate_limit p
  WHERE p.account = p_account AND p.lane = p_lane AND p.share = ''
  FOR UPDATE;
  SELECT p.*
  INTO v_share
  FROM provider_rate_limit p
  WHERE p.account = p_account AND p.lane = p_lane AND p.share = p_share
  FOR UPDATE;

  v_now := date_trunc('milliseconds', clock_timestamp());
  v_at := greatest(v_lane_next, v_now);
  IF v_share.next_slot_at <= v_now + p_max_share_wait AND v_at <= v_now + p_max_wait THEN
    UPDATE provider_rate_limit p
    SET next_slot_at = v_at + p_interval
    WHERE p.account = p_account AND p.lane = p_lane AND p.share IN ('', p_share);
    wait_ms := extract(epoch FROM v_at - v_now) * 1000;
    RETURN;
  END IF;

  v_at := greatest(
    v_share.next_slot_at - p_max_share_wait,
    v_lane_next - p_max_wait,
    v_now,
    CASE WHEN p_spread_retries THEN v_share.next_retry_at END
  ) + p_interval;
  IF p_spread_retries THEN
    -- Bounded, because some requests are never retried.
    v_at := least(v_at, v_now + interval '15 seconds');
    UPDATE provider_rate_limit p
    SET next_retry_at = v_at
    WHERE p.account = p_account AND p.lane = p_lane AND p.share = p_share;
  END IF;
  retry_after_ms := extract(epoch FROM v_at - v_now) * 1000;
END $function$;
REVOKE ALL ON FUNCTION reserve_slot(text,text,text,interval,interval,interval,boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reserve_slot(text,text,text,interval,interval,interval,boolean) TO partyline_platform;
CREATE OR REPLACE FUNCTION public.room_spent(p_tenant text, p_room text, p_currency text)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
AS $function$
DECLARE
  v_micro bigint;
  v_others boolean;
BEGIN
  SELECT
    ceil(COALESCE(sum(CASE p_currency WHEN s.currency THEN s.micro WHEN s.tenant_currency THEN s.tenant_micro END), 0)),
    COALESCE(bool_or(s.seconds <> 0 AND p_currency NOT IN (s.currency, s.tenant_currency)), false)
  INTO v_micro, v_others
  FROM room_sum s
  WHERE s.tenant_id = p_tenant AND s.room_id = p_room;
  IF v_others THEN
    v_micro := v_micro + estimate_other_currencies(p_tenant, p_room, p_currency);
  END IF;
  RETURN v_micro;
END $function$;
CREATE OR REPLACE FUNCTION public.running_cost(p_tenant text)
 RETURNS TABLE(tenant_id text, room_id text, session_id text, seconds bigint, micro bigint)
 LANGUAGE sql
 STABLE
AS $function$
  SELECT
    l.tenant_id, s.room_id, l.session_id, u.seconds,
    u.seconds * rate_per_minute(
      l.kind, h.handle, CASE l.kind WHEN 'outbound' THEN l.remote ELSE l.number END, t.currency
    ) / 60
  FROM leg l
  JOIN session s ON s.id = l.session_id
  JOIN tenant t ON t.id = l.tenant_id
  JOIN room r ON r.id = s.room_id
  CROSS JOIN LATERAL (
    SELECT unnest(
      CASE l.kind
        WHEN 'bridge' THEN ARRAY['voice', 'media']
        WHEN 'webrtc' THEN ARRAY['media']
        ELSE ARRAY['voice']
      END
    ) AS handle
  ) AS h
  CROSS JOIN LATERAL (
    SELECT greatest(
      60, ceil(extract(epoch FROM clock_timestamp() - COALESCE(l.answered_at, clock_timestamp())))
    )::bigint AS seconds
  ) AS u
  WHERE l.state <> 'ended'
    AND l.session_id IS NOT NULL
    AND CASE h.handle WHEN 'voice' THEN l.voice_closed_at IS NULL ELSE l.media_closed_at IS NULL END
    AND (
      l.tenant_id = p_tenant
      OR (
        p_tenant IS NULL
        AND (
          t.max_spend_micro_per_month IS NOT NULL
          OR t.max_minutes_per_month IS NOT NULL
          OR r.max_spend_micro IS NOT NULL
        )
      )
    )
$function$;
CREATE OR REPLACE FUNCTION public.share_with_platform(p_table regclass)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
  v_sequence regclass;
BEGIN
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO partyline_platform', p_table);
  FOR v_sequence IN
    SELECT d.objid::regclass
    FROM pg_depend d
    JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
    WHERE d.refobjid = p_table
  LOOP
    EXECUTE format('GRANT USAGE ON SEQUENCE %s TO partyline_tenant, partyline_platform', v_sequence);
  END LOOP;
END $function$;
CREATE OR REPLACE FUNCTION public.slow_mode_share(p_number dial_in_number, p_odds double precision)
 RETURNS double precision
 LANGUAGE plpgsql
 STABLE
AS $function$
BEGIN
  RETURN CASE
    WHEN month_guess_odds(p_number.e164) + p_number.max_unadmitted * max_pin_attempts(false) * p_odds > 0.0025
      THEN 0.0025 / 60
    ELSE 0.00025
  END;
END $function$;
ALTER FUNCTION slow_mode_share(dial_in_number,double precision) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION slow_mode_share(dial_in_number,double precision) FROM PUBLIC;
CREATE OR REPLACE FUNCTION public.spent_micro(p_cdr cdr, p_currency text)
 RETURNS numeric
 LANGUAGE sql
 STABLE
AS $function$
  SELECT CASE
    WHEN p_cdr.currency = p_currency THEN COALESCE(p_cdr.price_micro, p_cdr.estimate_micro)
    WHEN p_cdr.tenant_currency = p_currency THEN p_cdr.tenant_estimate_micro
    ELSE reestimate(p_cdr, p_cdr.seconds, p_currency)
  END
$function$;
CREATE OR REPLACE FUNCTION public.tenant_in_context()
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
  SELECT nullif(current_setting('partyline.tenant', true), '')
$function$;
CREATE OR REPLACE FUNCTION public.this_month()
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
AS $function$
  SELECT date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
$function$;
CREATE OR REPLACE FUNCTION public.waits_for_host(p_room room, p_session text, p_role text)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  SELECT p_room.wait_for_host
    AND p_role <> 'host'
    AND NOT EXISTS (
      SELECT
      FROM leg l
      WHERE l.session_id = p_session AND l.role = 'host' AND l.state IN ('answered', 'joined')
    )
$function$;
ALTER FUNCTION waits_for_host(room,text,text) OWNER TO partyline_platform;
REVOKE ALL ON FUNCTION waits_for_host(room,text,text) FROM PUBLIC;

-- Triggers

CREATE CONSTRAINT TRIGGER maintain_sums AFTER INSERT OR DELETE OR UPDATE OF tenant_id, room_id, ended_at, seconds, price_micro, currency, estimate_micro, tenant_currency, tenant_estimate_micro ON public.cdr DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION maintain_sums();

-- Row-level security

ALTER TABLE api_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_key FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON api_key FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON api_key FOR ALL TO partyline_tenant USING ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context))) WITH CHECK ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)));
ALTER TABLE audit_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_entry FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON audit_entry FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON audit_entry FOR ALL TO partyline_tenant USING (((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)) OR (about @> ARRAY[( SELECT tenant_in_context() AS tenant_in_context)]))) WITH CHECK (((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)) AND (about = '{}'::text[])));
ALTER TABLE cdr ENABLE ROW LEVEL SECURITY;
ALTER TABLE cdr FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON cdr FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON cdr FOR ALL TO partyline_tenant USING ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context))) WITH CHECK ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)));
ALTER TABLE delivery ENABLE ROW LEVEL SECURITY;
ALTER TABLE delivery FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON delivery FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON delivery FOR ALL TO partyline_tenant USING ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context))) WITH CHECK ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)));
ALTER TABLE delivery_attempt ENABLE ROW LEVEL SECURITY;
ALTER TABLE delivery_attempt FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON delivery_attempt FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON delivery_attempt FOR ALL TO partyline_tenant USING ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context))) WITH CHECK ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)));
ALTER TABLE dial_in_number ENABLE ROW LEVEL SECURITY;
ALTER TABLE dial_in_number FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON dial_in_number FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON dial_in_number FOR SELECT TO partyline_tenant USING (((dedicated_to IS NULL) OR (dedicated_to = ( SELECT tenant_in_context() AS tenant_in_context))));
ALTER TABLE endpoint ENABLE ROW LEVEL SECURITY;
ALTER TABLE endpoint FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON endpoint FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON endpoint FOR ALL TO partyline_tenant USING ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context))) WITH CHECK ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)));
ALTER TABLE hang_up_attempt ENABLE ROW LEVEL SECURITY;
ALTER TABLE hang_up_attempt FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON hang_up_attempt FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON hang_up_attempt FOR ALL TO partyline_tenant USING (((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)) OR ((tenant_id IS NULL) AND (leg_id IN ( SELECT l.id
   FROM leg l))))) WITH CHECK ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)));
ALTER TABLE idempotency_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_key FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON idempotency_key FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON idempotency_key FOR ALL TO partyline_tenant USING ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context))) WITH CHECK ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)));
ALTER TABLE idempotency_step ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_step FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON idempotency_step FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON idempotency_step FOR ALL TO partyline_tenant USING ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context))) WITH CHECK ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)));
ALTER TABLE leg ENABLE ROW LEVEL SECURITY;
ALTER TABLE leg FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON leg FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON leg FOR ALL TO partyline_tenant USING ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context))) WITH CHECK ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)));
ALTER TABLE month_sum ENABLE ROW LEVEL SECURITY;
ALTER TABLE month_sum FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON month_sum FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON month_sum FOR ALL TO partyline_tenant USING ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context))) WITH CHECK ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)));
ALTER TABLE observation ENABLE ROW LEVEL SECURITY;
ALTER TABLE observation FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON observation FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON observation FOR ALL TO partyline_tenant USING (((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)) OR ((tenant_id IS NULL) AND (leg_id IN ( SELECT l.id
   FROM leg l))))) WITH CHECK ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)));
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON outbox FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON outbox FOR ALL TO partyline_tenant USING ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context))) WITH CHECK ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)));
ALTER TABLE participant ENABLE ROW LEVEL SECURITY;
ALTER TABLE participant FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON participant FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON participant FOR ALL TO partyline_tenant USING ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context))) WITH CHECK ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)));
ALTER TABLE pin ENABLE ROW LEVEL SECURITY;
ALTER TABLE pin FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON pin FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON pin FOR ALL TO partyline_tenant USING ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context))) WITH CHECK ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)));
ALTER TABLE provider_account ENABLE ROW LEVEL SECURITY;
ALTER TABLE provider_account FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON provider_account FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON provider_account FOR ALL TO partyline_tenant USING ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context))) WITH CHECK ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)));
ALTER TABLE room ENABLE ROW LEVEL SECURITY;
ALTER TABLE room FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON room FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON room FOR ALL TO partyline_tenant USING ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context))) WITH CHECK ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)));
ALTER TABLE room_sum ENABLE ROW LEVEL SECURITY;
ALTER TABLE room_sum FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON room_sum FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON room_sum FOR ALL TO partyline_tenant USING ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context))) WITH CHECK ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)));
ALTER TABLE session ENABLE ROW LEVEL SECURITY;
ALTER TABLE session FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON session FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON session FOR ALL TO partyline_tenant USING ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context))) WITH CHECK ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)));
ALTER TABLE sip_account ENABLE ROW LEVEL SECURITY;
ALTER TABLE sip_account FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON sip_account FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON sip_account FOR ALL TO partyline_tenant USING ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context))) WITH CHECK ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)));
ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON tenant FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON tenant FOR SELECT TO partyline_tenant USING ((id = ( SELECT tenant_in_context() AS tenant_in_context)));
ALTER TABLE tenant_data_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant_data_key FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON tenant_data_key FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON tenant_data_key FOR ALL TO partyline_tenant USING ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context))) WITH CHECK ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)));
ALTER TABLE warning ENABLE ROW LEVEL SECURITY;
ALTER TABLE warning FORCE ROW LEVEL SECURITY;
CREATE POLICY every_row ON warning FOR ALL TO partyline_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant_rows ON warning FOR ALL TO partyline_tenant USING ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context))) WITH CHECK ((tenant_id = ( SELECT tenant_in_context() AS tenant_in_context)));

-- First rows

INSERT INTO platform_limit DEFAULT VALUES;
INSERT INTO platform_rate VALUES ('bridge-media', '', 'EUR', 10000);
INSERT INTO platform_rate VALUES ('bridge-voice', '', 'EUR', 5000);
INSERT INTO platform_rate VALUES ('inbound', '', 'EUR', 10000);
INSERT INTO platform_rate VALUES ('outbound', '', 'EUR', 200000);
INSERT INTO platform_rate VALUES ('outbound', '+1', 'EUR', 15000);
INSERT INTO platform_rate VALUES ('outbound', '+44', 'EUR', 40000);
INSERT INTO platform_rate VALUES ('outbound', '+49', 'EUR', 40000);
INSERT INTO platform_rate VALUES ('webrtc', '', 'EUR', 5000);

-- Grants

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE api_key TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE api_key TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE audit_entry TO partyline_platform;
GRANT INSERT, SELECT ON TABLE audit_entry TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE cdr TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE cdr TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE delivery TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE delivery TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE delivery_attempt TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE delivery_attempt TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE dial_in_number TO partyline_platform;
GRANT SELECT ON TABLE dial_in_number TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE endpoint TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE endpoint TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE hang_up_attempt TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE hang_up_attempt TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE idempotency_key TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE idempotency_key TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE idempotency_step TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE idempotency_step TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE lease TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE leg TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE leg TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE month_sum TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE month_sum TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE observation TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE observation TO partyline_tenant;
GRANT USAGE ON SEQUENCE observation_id_seq TO partyline_platform;
GRANT USAGE ON SEQUENCE observation_id_seq TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE orphan_call TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE outbox TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE outbox TO partyline_tenant;
GRANT USAGE ON SEQUENCE outbox_id_seq TO partyline_platform;
GRANT USAGE ON SEQUENCE outbox_id_seq TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE participant TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE participant TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE pin TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE pin TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE pin_guess_day TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE platform_limit TO partyline_platform;
GRANT SELECT ON TABLE platform_limit TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE platform_rate TO partyline_platform;
GRANT SELECT ON TABLE platform_rate TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE provider_account TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE provider_account TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE provider_rate_limit TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE room TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE room TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE room_sum TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE room_sum TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE session TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE session TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE sip_account TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE sip_account TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE tenant TO partyline_platform;
GRANT SELECT ON TABLE tenant TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE tenant_data_key TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE tenant_data_key TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE warning TO partyline_platform;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE warning TO partyline_tenant;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE webhook_jti TO partyline_platform;
GRANT INSERT, SELECT ON TABLE webhook_jti TO partyline_tenant;

-- Grants of columns

GRANT UPDATE (targets, changes, ended_at, status, reason) ON TABLE audit_entry TO partyline_tenant;
