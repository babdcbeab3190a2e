import { connectJanusAdmin } from './janus-admin.ts';

const TIMEOUT_MS = 5_000;

/** The handles of a Janus by what they are for, e.g. `{"sip in use": 3, "audiobridge": 4}`. */
export type HandleCounts = Readonly<Record<string, number>>;

/** Counts the handles of a Janus by plugin, those of SIP calls apart. Rejects with JanusError. */
export async function countHandles({
  adminUrl,
  adminSecret,
}: {
  readonly adminUrl: string;
  readonly adminSecret: string;
}): Promise<HandleCounts> {
  const admin = await connectJanusAdmin({ url: adminUrl, adminSecret, requestTimeoutMs: TIMEOUT_MS });
  try {
    const counts: Record<string, number> = {};
    for (const { plugin = 'none', pluginState } of await admin.describeAllHandles()) {
      const inUse = pluginState['call_status'] === undefined || pluginState['call_status'] === 'idle' ? '' : ' in use';
      const name = plugin.replace('janus.plugin.', '') + inUse;
      counts[name] = (counts[name] ?? 0) + 1;
    }
    return counts;
  } finally {
    admin.close();
  }
}
