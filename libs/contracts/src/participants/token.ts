import { z } from 'zod';
import { id, instant, label, role } from '../fields.ts';

/** The body of `POST /v1/rooms/{id}/tokens`. */
export const TokenRequest = z
  .strictObject({ name: label('The name in the roster.', 'Grace'), role: role.default('participant') })
  .meta({
    id: 'TokenRequest',
    examples: [{ name: 'Grace', role: 'host' }],
    description: 'A participant who joins with a browser.',
  });
export type TokenRequest = z.output<typeof TokenRequest>;

/** What the video SDK of a browser needs. */
export const Client = z
  .object({
    kind: z.string().meta({
      description:
        'Which browser library to use: `unified` (Vonage Video), `opentok`, or `janus` (room-client, with the ' +
        "operator's own servers).",
      examples: ['unified'],
    }),
    application: z.string().meta({
      description:
        'The application id, or API key, for the browser library; with `janus` the WebSocket URL. It is not secret.',
      examples: ['8f3d2b1c-9a47-4c1e-8e59-1f7f0b2a6c44'],
    }),
    mediaSessionId: z
      .string()
      .meta({ description: 'The video session at the provider.', examples: ['2_MX4xMDB-fjE1MDA'] }),
    token: z.string().meta({
      description: 'The token of one participant. Do not share it.',
      examples: ['eyJhbGciOiJSUzI1NiJ9.e30.c2ln'],
    }),
    expiresAt: instant('When the token expires.'),
  })
  .meta({ id: 'Client', description: 'What a browser needs to join the video session.' });
export type Client = z.output<typeof Client>;

/** The reply to `POST /v1/rooms/{id}/tokens`. */
export const Token = z
  .object({
    participantId: id('part', 'The participant that uses the token'),
    sessionId: id('ses', 'The session of the token'),
    client: Client,
  })
  .meta({ id: 'Token', description: 'A token for one browser.' });
export type Token = z.output<typeof Token>;
