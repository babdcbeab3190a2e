import { z } from 'zod';
import { id, instant, label } from '../fields.ts';

/** One line that is never shown again. @param least characters */
const secret = (description: string, example: string, least = 1) =>
  z
    .string('must be a text')
    .min(least, least === 1 ? 'must not be empty' : `must have ${least} characters or more`)
    .max(200, 'must have at most 200 characters')
    .regex(/^[\x21-\x7e]*$/, 'must be printable ASCII characters without spaces')
    .meta({ description: `${description} ${least} to 200 characters. Never shown again.`, examples: [example] });

const accountLabel = label('What you call it.', 'Our Vonage account');
const apiKey = z
  .string('must be a text')
  .regex(/^[A-Za-z0-9]{1,40}$/, 'must be 1 to 40 letters and digits')
  .meta({
    description: 'The API key of the Vonage account that the application is in. 1 to 40 letters and digits.',
    examples: ['a1b2c3d4'],
  });
const apiSecret = secret(
  'The API secret of the Vonage account. With the key it is how the bridge leg signs in at the SIP gateway.',
  'examplesecret1234',
);
const applicationId = z
  .uuid('must be the application’s id, a UUID')
  .toLowerCase()
  .meta({
    description:
      'The application: a UUID, as the vendor’s dashboard shows it. Let nothing but Partyline use it: calls of it that we do not know are hung up.',
    examples: ['7b6a1e0c-5d3f-4a27-9c41-2f8e6d5b4a39'],
  });
const privateKey = z
  .string('must be a text')
  .max(10_000, 'must have at most 10000 characters')
  .refine((text) => !text.includes('BEGIN RSA PRIVATE KEY'), {
    error:
      'is a PKCS#1 key (BEGIN RSA PRIVATE KEY); convert it: openssl pkcs8 -topk8 -nocrypt -in old.key -out new.key',
    abort: true,
  })
  .regex(
    /^\s*-----BEGIN PRIVATE KEY-----[\sA-Za-z0-9+/=\\]+-----END PRIVATE KEY-----\s*$/,
    'must be a PKCS#8 key in PEM form (BEGIN PRIVATE KEY), with its line breaks',
  )
  .meta({
    description:
      'The application’s private key: RSA, PKCS#8 in PEM form, with its line breaks. At most 10000 characters. Never shown again.',
    examples: ['-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----\n'],
  });
const signatureSecret = secret(
  'Signs the vendor’s voice webhooks: the account’s signature secret.',
  'an-example-of-a-signature-secret-0',
  32,
);
const callbackSecret = secret(
  'Signs the vendor’s video callbacks: the secret of its secure callbacks.',
  'an-example-of-a-callback-secret-01',
  32,
);
const voiceKind = z
  .literal('vonage', 'must be vonage')
  .meta({ description: 'Which telephone provider: `vonage`.', examples: ['vonage'] });
const opentokKind = z
  .literal('opentok', 'must be opentok or unified')
  .meta({ description: '`opentok`: a legacy OpenTok project.', examples: ['opentok'] });
const unifiedKind = z.literal('unified', 'must be opentok or unified').meta({
  description: '`unified`: the application of the telephone side, which has the video capability.',
  examples: ['unified'],
});
const projectKey = z
  .string('must be a text')
  .regex(/^\d{1,20}$/, 'must be the project’s key, a number')
  .meta({ description: 'The OpenTok project’s API key: 1 to 20 digits.', examples: ['46345342'] });
const projectSecret = secret('The OpenTok project’s secret.', 'exampleprojectsecret1234');

/** The telephone side of an account. */
const VoiceCredentials = z
  .strictObject({ kind: voiceKind, apiKey, apiSecret, applicationId, privateKey, signatureSecret })
  .meta({ id: 'VoiceCredentials', description: 'The telephone side of an account.' });

/** The video side of an account. */
const VideoCredentials = z
  .discriminatedUnion(
    'kind',
    [
      z.strictObject({ kind: opentokKind, apiKey: projectKey, apiSecret: projectSecret }),
      z.strictObject({ kind: unifiedKind }),
    ],
    'must have the kind opentok or unified',
  )
  .meta({
    id: 'VideoCredentials',
    description: 'The video side of an account: a legacy OpenTok project, or the application of the telephone side.',
    examples: [{ kind: 'unified' }],
  });

/** The body of `POST /v1/provider-accounts`. */
export const CreateProviderAccount = z
  .strictObject({ label: accountLabel, voice: VoiceCredentials, video: VideoCredentials, callbackSecret })
  .meta({
    id: 'CreateProviderAccount',
    description: 'An account of your own at the provider. It is tried out before it is kept.',
  });
export type CreateProviderAccount = z.output<typeof CreateProviderAccount>;

/** The body of `PATCH /v1/provider-accounts/{accountId}`. */
export const ChangeProviderAccount = z
  .strictObject({ label: accountLabel })
  .meta({ id: 'ChangeProviderAccount', description: 'What you call it from now on.' });
export type ChangeProviderAccount = z.output<typeof ChangeProviderAccount>;

/** The body of `POST /v1/provider-accounts/{accountId}/rotate`. */
export const RotateProviderAccount = z
  .strictObject({
    voice: z
      .strictObject({
        apiSecret: apiSecret.optional(),
        privateKey: privateKey.optional(),
        signatureSecret: signatureSecret.optional(),
        kind: voiceKind.optional(),
        apiKey: apiKey.optional(),
        applicationId: applicationId.optional(),
      })
      .optional()
      .meta({
        description:
          'New credentials of the telephone side. Its `kind`, `apiKey` and `applicationId` may be given too, if they are as they were.',
        examples: [{ signatureSecret: 'an-example-of-a-signature-secret-1' }],
      }),
    video: z
      .strictObject({
        apiSecret: projectSecret.optional(),
        kind: z
          .enum(['opentok', 'unified'], 'must be opentok or unified')
          .optional()
          .meta({ description: 'As it was.', examples: ['opentok'] }),
        apiKey: projectKey.optional(),
      })
      .optional()
      .meta({
        description:
          'The new secret of an OpenTok project. Its `kind` and `apiKey` may be given too, if they are as they were.',
        examples: [{ apiSecret: 'exampleprojectsecret5678' }],
      }),
    callbackSecret: callbackSecret.optional(),
    overlapSeconds: z
      .int('must be a whole number of seconds')
      .min(0, 'must be at least 0')
      .max(604_800, 'must be at most 604800 (7 days)')
      .default(86_400)
      .meta({
        description:
          'For how long webhooks that are signed with the old secrets are taken too. Whole seconds, 0 to 604800 (7 days); default 86400, a day.',
        examples: [86_400],
      }),
  })
  .refine(
    ({ voice, video, callbackSecret: callback }) =>
      callback !== undefined ||
      [voice?.apiSecret, voice?.privateKey, voice?.signatureSecret, video?.apiSecret].some(
        (each) => each !== undefined,
      ),
    { message: 'must have at least one new credential', path: [] },
  )
  .meta({
    id: 'RotateProviderAccount',
    description: 'New credentials of the same account at the provider; what is left out stays.',
  });
export type RotateProviderAccount = z.output<typeof RotateProviderAccount>;

const accountId = id('acct', 'The account');
const maskedKey = (description: string) =>
  z.string().meta({ description: `${description} Masked: only the last four characters.`, examples: ['****c3d4'] });
const address = (description: string, path: string) =>
  z
    .string()
    .meta({ description, examples: [`https://hooks.example.com/v1/accounts/acct_3q2-7wAAQkV1bWJlclBhcn/${path}`] });

/** An account as it stands: without anything that is secret. */
export const ProviderAccount = z
  .object({
    id: accountId,
    label: accountLabel,
    voice: z
      .object({
        kind: voiceKind,
        apiKey: maskedKey('The API key of the Vonage account.'),
        applicationId: z
          .string()
          .meta({ description: 'The application.', examples: ['7b6a1e0c-5d3f-4a27-9c41-2f8e6d5b4a39'] }),
      })
      .meta({
        description: 'The telephone side.',
        examples: [{ kind: 'vonage', apiKey: '****c3d4', applicationId: '7b6a1e0c-5d3f-4a27-9c41-2f8e6d5b4a39' }],
      }),
    video: z
      .object({
        kind: z.enum(['opentok', 'unified']).meta({ description: 'Which video provider.', examples: ['unified'] }),
        apiKey: maskedKey('The API key of the OpenTok project; null with `unified`.').nullable(),
      })
      .meta({ description: 'The video side.', examples: [{ kind: 'unified', apiKey: null }] }),
    version: z
      .int()
      .min(1)
      .meta({ description: 'Counts its credentials: each rotation adds one.', examples: [1] }),
    verifiedAt: instant('When the provider last took these credentials.'),
    oldSecretsUntil: instant(
      'Until when webhooks signed with the secrets before are taken too; null: they are not.',
    ).nullable(),
    addresses: z
      .object({
        answer: address('The answer URL of the application. POST.', 'voice/answer'),
        events: address('The event URL of the application. POST.', 'voice/events'),
        videoEvents: address('Where session and SIP call monitoring goes, with secure callbacks.', 'video/events'),
      })
      .meta({
        description: 'What to set at the vendor, each with POST and signed.',
        examples: [
          {
            answer: 'https://hooks.example.com/v1/accounts/acct_3q2-7wAAQkV1bWJlclBhcn/voice/answer',
            events: 'https://hooks.example.com/v1/accounts/acct_3q2-7wAAQkV1bWJlclBhcn/voice/events',
            videoEvents: 'https://hooks.example.com/v1/accounts/acct_3q2-7wAAQkV1bWJlclBhcn/video/events',
          },
        ],
      }),
    numbers: z.array(z.string()).meta({
      description: 'Your dial-in numbers whose rooms live in it; the platform’s operator gives them to it. E.164.',
      examples: [['+12025550100']],
    }),
    createdAt: instant('When it was created.'),
  })
  .meta({
    id: 'ProviderAccount',
    description:
      'An account of your own at the provider: the rooms of its numbers, with all their calls, live there and are billed there.',
  });
export type ProviderAccount = z.output<typeof ProviderAccount>;

/** The reply to `GET /v1/provider-accounts`. */
export const ProviderAccounts = z
  .object({ accounts: z.array(ProviderAccount).meta({ description: 'Oldest first; at most ten.' }) })
  .meta({ id: 'ProviderAccounts', description: 'All your accounts at the provider.' });
export type ProviderAccounts = z.output<typeof ProviderAccounts>;

/** The reply to `DELETE /v1/provider-accounts/{accountId}`. */
export const DeletedProviderAccount = z
  .object({ id: id('acct', 'The account that was') })
  .meta({ id: 'DeletedProviderAccount', description: 'The account is gone, and its credentials are wiped.' });
export type DeletedProviderAccount = z.output<typeof DeletedProviderAccount>;
