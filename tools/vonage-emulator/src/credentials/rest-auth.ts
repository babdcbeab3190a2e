/** Who is calling the REST API: X-OPENTOK-AUTH (legacy) or Bearer (application) — contract §1 and §2. */
import type { IncomingHttpHeaders } from 'node:http';
import type { EmulatorConfig } from '../config.ts';
import { RestError } from '../http/answer.ts';
import { peek, unexpired, verifyHs256, verifyRs256 } from './jwt.ts';

const one = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);

/** Who a request says it is from, for the log: its application id or project key, unchecked. */
export function askedBy(headers: IncomingHttpHeaders): string | undefined {
  const token = one(headers['x-opentok-auth']) ?? /^Bearer (.+)$/i.exec(one(headers.authorization) ?? '')?.[1];
  const claims = token === undefined ? undefined : peek(token);
  const said = claims?.application_id ?? claims?.iss;
  return typeof said === 'string' || typeof said === 'number' ? String(said) : undefined;
}

/** The application whose key signed the Bearer token; 401 otherwise. */
export function bearerApplication(config: EmulatorConfig, headers: IncomingHttpHeaders, nowMs: number): string {
  const token = /^Bearer (.+)$/i.exec(one(headers.authorization) ?? '')?.[1];
  const unauthorized = new RestError(401, {
    type: 'https://developer.vonage.com/api-errors#unauthorized',
    title: 'Unauthorized',
    detail: 'You did not provide correct credentials.',
  });
  if (token === undefined) throw unauthorized;
  const application = config.applications.find((candidate) => candidate.id === peek(token)?.application_id);
  const claims = application && verifyRs256(token, application.publicKey);
  if (application === undefined || claims === undefined || !unexpired(claims, nowMs)) throw unauthorized;
  return application.id;
}

function legacyProject(config: EmulatorConfig, token: string, nowMs: number): string {
  const project = config.projects.find((candidate) => candidate.apiKey === String(peek(token)?.iss));
  const claims = project && verifyHs256(token, project.apiSecret);
  if (project === undefined || claims === undefined || claims.ist !== 'project' || !unexpired(claims, nowMs)) {
    throw new RestError(403, { code: -1, message: 'Invalid token', description: 'Invalid token' });
  }
  return project.apiKey;
}

/** The project key or application id that may act; `wanted` is the key in the path. Legacy: 403, unified: 401. */
export function videoAccount(
  config: EmulatorConfig,
  headers: IncomingHttpHeaders,
  nowMs: number,
  wanted?: string,
): string {
  const legacy = one(headers['x-opentok-auth']);
  const isLegacyPath = config.projects.some((project) => project.apiKey === wanted);
  if (legacy === undefined && isLegacyPath)
    throw new RestError(403, { code: -1, message: 'Invalid token', description: 'Missing X-OPENTOK-AUTH' });
  const account =
    legacy === undefined ? bearerApplication(config, headers, nowMs) : legacyProject(config, legacy, nowMs);
  if (wanted !== undefined && wanted !== account)
    throw new RestError(403, {
      code: -1,
      message: 'Forbidden',
      description: "The key in the path is not the caller's",
    });
  return account;
}
