import { z } from 'zod';
import { accountTag, trunk } from './wire.ts';

const secret = z.string().min(32, 'must have at least 32 characters');
const httpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .transform((url) => url.replace(/\/+$/, ''));

/** One media-gateway: its id, which begins the ids of its calls, and where it is controlled. */
const gateway = z.strictObject({
  id: z.string().regex(/^[a-z0-9-]{1,40}$/, 'must have 1 to 40 lower-case letters, digits and dashes'),
  url: httpUrl,
});

/**
 * An account at our own gateways. The gateways, their secret and kamailio belong to the deployment;
 * `account` and `trunk` to the platform or to one tenant.
 */
export const janusAccountSchema = z.strictObject({
  account: accountTag,
  gateways: z
    .array(gateway)
    .min(1, 'must name at least one gateway')
    .max(100)
    .refine((all) => new Set(all.map(({ id }) => id)).size === all.length, 'must name each gateway once'),
  /** Signs control requests, webhooks and browsers' tokens. */
  secret,
  /** The other secret of a rotation: signatures with it are accepted too. */
  extraSecrets: z.array(secret).max(1, 'must contain at most one secret, the other one of a rotation').default([]),
  /** JSON-RPC of kamailio, which lists and ends the calls of a gateway that is gone. Its secret is not that of gateways. */
  kamailio: z.strictObject({ url: httpUrl, secret: z.string().min(1) }),
  /** Where outbound calls leave. Absent: this account cannot place calls. */
  trunk: trunk.optional(),
  /** The WebSocket of the gateways for browsers, a public URL. */
  socketUrl: z.url({ protocol: /^wss?$/, error: 'must be a ws or wss URL' }),
});
export type JanusAccount = z.output<typeof janusAccountSchema>;
