import { z } from 'zod';
import { id, instant, label, role } from '../fields.ts';

/** The body of `POST /v1/rooms/{id}/tokens`. */
export const TokenRequest = z
  .strictObject({ name: label('The name on the roster.', 'Grace'), role: role.default('participant') })
  .meta({ id: 'TokenRequest', description: 'One more browser that is to join.' });
export type TokenRequest = z.output<typeof TokenRequest>;

/** What a browser's video SDK is started with. */
export const Client = z
  .object({
    kind: z.string().meta({ description: 'Which of the provider’s browser SDKs to use.', examples: ['unified'] }),
    application: z.string().meta({
      description: 'The application id (or API key) to start the SDK with. No secret.',
      examples: ['8f3d2b1c-9a47-4c1e-8e59-1f7f0b2a6c44'],
    }),
    mediaSessionId: z.string().meta({ description: 'The provider’s video session.', examples: ['2_MX4xMDB-fjE1MDA'] }),
    token: z.string().meta({
      description: 'Lets one person in until it expires. Give it to nobody else.',
      examples: ['eyJhbGciOiJSUzI1NiJ9.e30.c2ln'],
    }),
    expiresAt: instant('When the token stops being good.'),
  })
  .meta({ id: 'Client', description: 'What a browser needs to join the video session.' });
export type Client = z.output<typeof Client>;

/** The reply to `POST /v1/rooms/{id}/tokens`. */
export const Token = z
  .object({
    participantId: id('part', 'The roster entry of whoever uses the token'),
    sessionId: id('ses', 'The session it is for'),
    client: Client,
  })
  .meta({ id: 'Token', description: 'A token for one browser. A room whose last session is over gets its next one.' });
export type Token = z.output<typeof Token>;
