/** Client tokens of the video side: legacy T1, legacy JWT (HS256), unified JWT (RS256) — contract §1, session IDs and tokens. */
import { createHmac } from 'node:crypto';
import type { EmulatorConfig } from '../config.ts';
import { peek, unexpired, verifyHs256, verifyRs256 } from './jwt.ts';

interface ClientToken {
  /** Project key or application id that issued it. */
  account: string;
  sessionId: string;
  data: string;
  role: string;
}

type TokenVerdict = { ok: true; token: ClientToken } | { ok: false; why: string };

const no = (why: string): TokenVerdict => ({ ok: false, why });
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

function checkT1(config: EmulatorConfig, token: string, nowMs: number): TokenVerdict {
  const decoded = Buffer.from(token.slice('T1=='.length), 'base64').toString();
  const cut = decoded.indexOf(':');
  const head = new URLSearchParams(decoded.slice(0, cut));
  const dataString = decoded.slice(cut + 1);
  const project = config.projects.find((candidate) => candidate.apiKey === head.get('partner_id'));
  if (project === undefined) return no('unknown partner_id');
  const expected = createHmac('sha1', project.apiSecret).update(dataString).digest('hex');
  if (expected !== head.get('sig')) return no('bad signature');
  const fields = new URLSearchParams(dataString);
  if (Number(fields.get('expire_time')) * 1000 <= nowMs) return no('expired');
  return {
    ok: true,
    token: {
      account: project.apiKey,
      sessionId: fields.get('session_id') ?? '',
      data: fields.get('connection_data') ?? '',
      role: fields.get('role') ?? 'publisher',
    },
  };
}

/** Verifies a token as the platform would when a client connects, or when a dial names it. */
export function checkClientToken(config: EmulatorConfig, token: string, nowMs: number): TokenVerdict {
  if (token.startsWith('T1==')) return checkT1(config, token, nowMs);
  const claims = peek(token);
  if (claims === undefined) return no('not a token');
  const project = config.projects.find((candidate) => candidate.apiKey === String(claims.iss));
  const application = config.applications.find((candidate) => candidate.id === claims.application_id);
  const verified =
    project !== undefined
      ? verifyHs256(token, project.apiSecret)
      : application !== undefined
        ? verifyRs256(token, application.publicKey)
        : undefined;
  if (verified === undefined) return no('bad signature');
  if (verified.scope !== 'session.connect') return no('scope is not session.connect');
  if (!unexpired(verified, nowMs)) return no('expired');
  return {
    ok: true,
    token: {
      account: project?.apiKey ?? application?.id ?? '',
      sessionId: text(verified.session_id),
      data: text(verified.connection_data),
      role: text(verified.role),
    },
  };
}
