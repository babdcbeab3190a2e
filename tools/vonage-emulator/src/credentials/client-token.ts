/** Video client tokens: legacy T1, legacy JWT (HS256), unified JWT (RS256) (contract §1). */
import { createHmac } from 'node:crypto';
import { findApplication, type EmulatorConfig } from '../config.ts';
import { decodeClaims, isUnexpired, verifyHs256, verifyRs256 } from './jwt.ts';

interface ClientToken {
  /** Project key or application id of the issuer. */
  account: string;
  sessionId: string;
  data: string;
  role: string;
}

type TokenVerdict = { ok: true; token: ClientToken } | { ok: false; reason: string };

const rejectToken = (reason: string): TokenVerdict => ({ ok: false, reason: reason });
const asText = (value: unknown): string => (typeof value === 'string' ? value : '');

function checkT1Token(config: EmulatorConfig, token: string, nowMs: number): TokenVerdict {
  const decoded = Buffer.from(token.slice('T1=='.length), 'base64').toString();
  const cut = decoded.indexOf(':');
  const head = new URLSearchParams(decoded.slice(0, cut));
  const dataString = decoded.slice(cut + 1);
  const project = config.projects.find((candidate) => candidate.apiKey === head.get('partner_id'));
  if (project === undefined) return rejectToken('unknown partner_id');
  const expected = createHmac('sha1', project.apiSecret).update(dataString).digest('hex');
  if (expected !== head.get('sig')) return rejectToken('bad signature');
  const fields = new URLSearchParams(dataString);
  if (Number(fields.get('expire_time')) * 1000 <= nowMs) return rejectToken('expired');
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

/** Verifies a client token as the platform does when a client connects or a dial uses it. */
export function checkClientToken(config: EmulatorConfig, token: string, nowMs: number): TokenVerdict {
  if (token.startsWith('T1==')) return checkT1Token(config, token, nowMs);
  const claims = decodeClaims(token);
  if (claims === undefined) return rejectToken('not a token');
  const project = config.projects.find((candidate) => candidate.apiKey === String(claims.iss));
  const application = findApplication(config, claims.application_id);
  const verified =
    project !== undefined
      ? verifyHs256(token, project.apiSecret)
      : application !== undefined
        ? verifyRs256(token, application.publicKey)
        : undefined;
  if (verified === undefined) return rejectToken('bad signature');
  if (verified.scope !== 'session.connect') return rejectToken('scope is not session.connect');
  if (!isUnexpired(verified, nowMs)) return rejectToken('expired');
  return {
    ok: true,
    token: {
      account: project?.apiKey ?? application?.id ?? '',
      sessionId: asText(verified.session_id),
      data: asText(verified.connection_data),
      role: asText(verified.role),
    },
  };
}
