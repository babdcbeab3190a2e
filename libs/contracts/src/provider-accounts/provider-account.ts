import { HOST_AND_PORT } from '@partyline/domain/host-and-port';
import { PROVIDER_REGIONS } from '@partyline/domain/provider-region';
import { z } from 'zod';
import { id, instant, label } from '../fields.ts';

/** A secret that replies never show. @param least characters */
const secret = (description: string, example: string, least = 1) =>
  z
    .string()
    .min(least, least === 1 ? 'must not be empty' : `must have at least ${least} characters`)
    .max(200, 'must have at most 200 characters')
    .regex(/^[\x21-\x7e]*$/, 'must be printable ASCII characters without spaces')
    .meta({ description: `${description} ${least} to 200 characters. Never shown.`, examples: [example] });

const accountLabel = label('Your name of the account.', 'Our Vonage account');
const apiKey = z
  .string()
  .regex(/^[A-Za-z0-9]{1,40}$/, 'must be 1 to 40 letters and digits')
  .meta({
    description: 'The API key of the Vonage account of the application. 1 to 40 letters and digits.',
    examples: ['a1b2c3d4'],
  });
const apiSecret = secret(
  'The API secret of the Vonage account. The bridge authenticates with it at the SIP gateway.',
  'examplesecret1234',
);
const applicationId = z
  .uuid('must be the id of the application, a UUID')
  .toLowerCase()
  .meta({
    description:
      'The application, a UUID from the dashboard of the provider. Use it only for Partyline: Partyline hangs up ' +
      'calls of the application that it does not know.',
    examples: ['7b6a1e0c-5d3f-4a27-9c41-2f8e6d5b4a39'],
  });
const privateKey = z
  .string()
  .max(10_000, 'must have at most 10000 characters')
  .refine((text) => !text.includes('BEGIN RSA PRIVATE KEY'), {
    error:
      'is a PKCS#1 key (BEGIN RSA PRIVATE KEY); convert it: openssl pkcs8 -topk8 -nocrypt -in old.key -out new.key',
    abort: true,
  })
  .regex(
    /^\s*-----BEGIN PRIVATE KEY-----[\sA-Za-z0-9+/=\\]+-----END PRIVATE KEY-----\s*$/,
    'must be a PKCS#8 key in PEM format (BEGIN PRIVATE KEY), with line breaks',
  )
  .meta({
    description:
      'The private key of the application: RSA, PKCS#8 in PEM format, with line breaks. At most 10000 characters. ' +
      'Never shown.',
    examples: ['-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n'],
  });
const signatureSecret = secret(
  'The signature secret of the account. It verifies voice webhooks of the provider.',
  'an-example-of-a-signature-secret-0',
  32,
);
const callbackSecret = secret(
  'The secret of secure callbacks. It verifies video callbacks of the provider.',
  'an-example-of-a-callback-secret-01',
  32,
);
const region = z.enum(PROVIDER_REGIONS, 'must be us, eu or ap').meta({
  description:
    'The region of the application at the provider: `us`, `eu` or `ap`. Partyline sends requests to the host of ' +
    'that region. Absent: the default host of the provider.',
  examples: ['eu'],
});
const sipUsername = z
  .string()
  .regex(/^[\x21-\x7e]{1,100}$/, 'must be 1 to 100 printable ASCII characters without spaces')
  .meta({ description: 'The digest user of the SIP domain. 1 to 100 characters.', examples: ['partyline'] });
const sipPassword = secret('The password of the digest user.', 'examplesippassword1234');
const sipDomain = z
  .string()
  .toLowerCase()
  .regex(
    /^[a-z0-9-]{1,63}\.sip(-(us|eu|ap))?\.(vonage|nexmo)\.com$/,
    'must be a SIP domain of Vonage, for example example.sip-eu.vonage.com',
  )
  .meta({
    description: "The account's own SIP domain at the provider, which belongs to the application.",
    examples: ['example.sip-eu.vonage.com'],
  });
const sip = z.strictObject({ domain: sipDomain, username: sipUsername, password: sipPassword }).meta({
  description:
    "The account's own SIP domain, for the bridge. Absent: the bridge dials the gateway of all accounts with the API " +
    'key and secret.',
  examples: [{ domain: 'example.sip-eu.vonage.com', username: 'partyline', password: 'examplesippassword1234' }],
});
const voiceKind = z
  .literal('vonage', 'must be vonage')
  .meta({ description: 'An application at Vonage.', examples: ['vonage'] });
const sipKind = z
  .literal('sip', 'must be sip')
  .meta({ description: 'A SIP trunk at the gateways of the platform.', examples: ['sip'] });
const opentokKind = z
  .literal('opentok', 'must be opentok, unified or janus')
  .meta({ description: '`opentok`: a legacy OpenTok project.', examples: ['opentok'] });
const unifiedKind = z.literal('unified', 'must be opentok, unified or janus').meta({
  description: '`unified`: the application of the voice provider, with the video capability.',
  examples: ['unified'],
});
const janusKind = z.literal('janus', 'must be opentok, unified or janus').meta({
  description: '`janus`: the gateways of the platform, with the voice provider `sip`.',
  examples: ['janus'],
});
const trunkHost = z
  .string()
  .toLowerCase()
  .max(260, 'must have at most 260 characters')
  .regex(HOST_AND_PORT, 'must be a host name or an IPv4 address, with or without a port')
  .meta({
    description:
      'Where outbound calls go: a host name or an IPv4 address, with or without a port. It must be public. At most ' +
      '260 characters.',
    examples: ['sip.trunk.example'],
  });
const trunkTransport = z.enum(['udp', 'tcp', 'tls'], 'must be udp, tcp or tls').meta({
  description:
    'The transport of outbound calls: `udp`, `tcp` or `tls`. With `tls`, their audio is encrypted too (SRTP).',
  examples: ['udp'],
});
const trunkUsername = z
  .string()
  .regex(/^[!#-[\]-~]{1,100}$/, 'must be 1 to 100 printable ASCII characters without spaces, quotes and backslashes')
  .meta({
    description: 'The digest user at the trunk. 1 to 100 characters. Never shown.',
    examples: ['partyline'],
  });
const trunkPassword = z
  .string()
  .regex(/^[ -~]{1,120}$/, 'must be 1 to 120 printable ASCII characters')
  .meta({
    description: 'The password of the digest user. 1 to 120 characters. Never shown.',
    examples: ['exampletrunkpassword1234'],
  });
const trunkAddresses = z
  .array(z.union([z.ipv4(), z.ipv6()], 'must be an IPv4 or IPv6 address'))
  .min(1, 'must have at least 1 address')
  .max(32, 'must have at most 32 addresses')
  .meta({
    description:
      'The IP addresses from which the trunk sends calls, 1 to 32. They must be public: addresses that are reserved ' +
      'for documentation, as in the examples, are rejected. Calls to your numbers from another address are rejected.',
    examples: [['203.0.113.10', '203.0.113.11']],
  });
const projectKey = z
  .string()
  .regex(/^\d{1,20}$/, 'must be the API key of the project, a number')
  .meta({ description: 'The API key of the OpenTok project. 1 to 20 digits.', examples: ['46345342'] });
const projectSecret = secret('The secret of the OpenTok project.', 'exampleprojectsecret1234');

const VonageVoice = z
  .strictObject({
    kind: voiceKind,
    apiKey,
    apiSecret,
    applicationId,
    privateKey,
    signatureSecret,
    region: region.optional(),
    sip: sip.optional(),
  })
  .meta({ id: 'VonageCredentials', description: 'The credentials of an application at Vonage.' });

const SipTrunk = z
  .strictObject({
    host: trunkHost,
    transport: trunkTransport.default('udp'),
    username: trunkUsername.optional(),
    password: trunkPassword.optional(),
  })
  .refine(({ username, password }) => (username === undefined) === (password === undefined), {
    message: 'must have both a username and a password, or neither',
    path: [],
  })
  .meta({
    id: 'SipTrunk',
    description: 'The SIP trunk of outbound calls. Without a username, it must accept the address of the platform.',
    examples: [{ host: 'sip.trunk.example', username: 'partyline', password: 'exampletrunkpassword1234' }],
  });

const SipVoice = z
  .strictObject({
    kind: sipKind,
    trunk: SipTrunk.optional(),
    addresses: trunkAddresses,
  })
  .meta({
    id: 'SipCredentials',
    description: 'A SIP trunk at the gateways of the platform. Without `trunk`, the account places no calls.',
  });

const VoiceCredentials = z.discriminatedUnion('kind', [VonageVoice, SipVoice], 'must be vonage or sip').meta({
  id: 'VoiceCredentials',
  description: 'The credentials of the voice provider: an application at Vonage, or a SIP trunk.',
  examples: [{ kind: 'sip', addresses: ['203.0.113.10'] }],
});

const VideoCredentials = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: opentokKind, apiKey: projectKey, apiSecret: projectSecret }),
    z.strictObject({ kind: unifiedKind }),
    z.strictObject({ kind: janusKind }),
  ])
  .meta({
    id: 'VideoCredentials',
    description:
      'The video provider. With `vonage`: a legacy OpenTok project, or the application of `voice`. With `sip`: `janus`.',
    examples: [{ kind: 'unified' }],
  });

/** The body of `POST /v1/provider-accounts`. */
export const CreateProviderAccount = z
  .strictObject({
    label: accountLabel,
    voice: VoiceCredentials,
    video: VideoCredentials,
    callbackSecret: callbackSecret.optional(),
  })
  .meta({
    id: 'CreateProviderAccount',
    examples: [
      {
        label: 'Our Vonage account',
        voice: {
          kind: 'vonage',
          apiKey: 'a1b2c3d4',
          apiSecret: 'examplesecret1234',
          applicationId: '7b6a1e0c-5d3f-4a27-9c41-2f8e6d5b4a39',
          privateKey: '-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n',
          signatureSecret: 'an-example-of-a-signature-secret-0',
        },
        video: { kind: 'unified' },
        callbackSecret: 'an-example-of-a-callback-secret-01',
      },
      {
        label: 'Our SIP trunk',
        voice: {
          kind: 'sip',
          trunk: { host: 'sip.trunk.example', username: 'partyline', password: 'exampletrunkpassword1234' },
          addresses: ['203.0.113.10', '203.0.113.11'],
        },
        video: { kind: 'janus' },
      },
    ],
    description:
      'A provider account to create: at Vonage, with `callbackSecret`, or a SIP trunk without it. The provider ' +
      'verifies the credentials before they are stored.',
  });
export type CreateProviderAccount = z.output<typeof CreateProviderAccount>;

/** The body of `PATCH /v1/provider-accounts/{accountId}`. */
export const ChangeProviderAccount = z
  .strictObject({ label: accountLabel })
  .meta({ id: 'ChangeProviderAccount', examples: [{ label: 'Sales' }], description: 'The new label.' });
export type ChangeProviderAccount = z.output<typeof ChangeProviderAccount>;

/** The body of `POST /v1/provider-accounts/{accountId}/rotate`. */
export const RotateProviderAccount = z
  .strictObject({
    voice: z
      .strictObject({
        apiSecret: apiSecret.optional(),
        privateKey: privateKey.optional(),
        signatureSecret: signatureSecret.optional(),
        trunk: z
          .strictObject({
            host: trunkHost.optional(),
            transport: trunkTransport.optional(),
            username: trunkUsername.optional(),
            password: trunkPassword.optional(),
          })
          .nullable()
          .optional()
          .meta({
            description: 'With `sip`: changes of the trunk. `host` is accepted if it is unchanged. Null: no trunk.',
            examples: [{ password: 'exampletrunkpassword5678' }],
          }),
        addresses: trunkAddresses.optional(),
        kind: z
          .enum(['vonage', 'sip'], 'must be vonage or sip')
          .optional()
          .meta({ description: 'The unchanged kind.', examples: ['vonage'] }),
        apiKey: apiKey.optional(),
        applicationId: applicationId.optional(),
        region: region.optional(),
        sip: z
          .strictObject({
            username: sipUsername.optional(),
            password: sipPassword.optional(),
            domain: sipDomain.optional(),
          })
          .optional()
          .meta({
            description: 'A new digest user of the SIP domain. `domain` is accepted if it is unchanged.',
            examples: [{ password: 'examplesippassword5678' }],
          }),
      })
      .optional()
      .meta({
        description:
          'New credentials of the voice provider. `kind`, `apiKey`, `applicationId` and `region` are accepted if they ' +
          'are unchanged.',
        examples: [{ signatureSecret: 'an-example-of-a-signature-secret-1' }],
      }),
    video: z
      .strictObject({
        apiSecret: projectSecret.optional(),
        kind: z
          .enum(['opentok', 'unified', 'janus'], 'must be opentok, unified or janus')
          .optional()
          .meta({ description: 'The unchanged kind.', examples: ['opentok'] }),
        apiKey: projectKey.optional(),
      })
      .optional()
      .meta({
        description: 'The new secret of an OpenTok project. `kind` and `apiKey` are accepted if they are unchanged.',
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
          'How long webhooks that are signed with the previous secrets stay valid. Whole seconds, 0 to 604800 (7 ' +
          'days); default 86400 (1 day).',
        examples: [86_400],
      }),
  })
  .refine(
    ({ voice, video, callbackSecret: callback }) =>
      callback !== undefined ||
      [
        voice?.apiSecret,
        voice?.privateKey,
        voice?.signatureSecret,
        voice?.sip?.username,
        voice?.sip?.password,
        voice?.trunk,
        voice?.addresses,
        video?.apiSecret,
      ].some((each) => each !== undefined),
    { message: 'must have at least one new credential', path: [] },
  )
  .meta({
    id: 'RotateProviderAccount',
    examples: [{ voice: { signatureSecret: 'an-example-of-a-signature-secret-1' }, overlapSeconds: 3_600 }],
    description: 'New credentials of the same account at the provider. Credentials that you leave out do not change.',
  });
export type RotateProviderAccount = z.output<typeof RotateProviderAccount>;

const accountId = id('acct', 'The account');
const maskedKey = (description: string) =>
  z.string().meta({ description: `${description} Masked: only the last four characters.`, examples: ['****c3d4'] });
const address = (description: string, path: string) =>
  z
    .string()
    .meta({ description, examples: [`https://hooks.example.com/v1/accounts/acct_3q2-7wAAQkV1bWJlclBhcn/${path}`] });

const ShownVonage = z
  .object({
    kind: voiceKind,
    apiKey: maskedKey('The API key of the Vonage account.'),
    applicationId: z
      .string()
      .meta({ description: 'The application.', examples: ['7b6a1e0c-5d3f-4a27-9c41-2f8e6d5b4a39'] }),
    region: region.nullable().meta({
      description: 'The region of the application. Null: the default host of the provider.',
      examples: ['eu'],
    }),
    sipDomain: z
      .string()
      .nullable()
      .meta({
        description: "The account's own SIP domain. Null: the gateway of all accounts.",
        examples: ['example.sip-eu.vonage.com'],
      }),
  })
  .meta({
    id: 'VonageVoice',
    description: 'An application at Vonage.',
    examples: [
      {
        kind: 'vonage',
        apiKey: '****c3d4',
        applicationId: '7b6a1e0c-5d3f-4a27-9c41-2f8e6d5b4a39',
        region: 'eu',
        sipDomain: null,
      },
    ],
  });

const ShownSip = z
  .object({
    kind: sipKind,
    trunk: z
      .object({ host: trunkHost, transport: trunkTransport })
      .nullable()
      .meta({
        description: 'Where outbound calls go, without the credentials. Null: the account places no calls.',
        examples: [{ host: 'sip.trunk.example', transport: 'udp' }],
      }),
    addresses: trunkAddresses,
    sipAddress: z
      .string()
      .nullable()
      .meta({
        description:
          'Where your trunk must send calls: host and port of the platform, with your number in E.164 as the user. ' +
          'Null: ask the operator.',
        examples: ['sip.example.com:5060'],
      }),
  })
  .meta({
    id: 'SipVoice',
    description: 'A SIP trunk at the gateways of the platform.',
    examples: [
      {
        kind: 'sip',
        trunk: { host: 'sip.trunk.example', transport: 'udp' },
        addresses: ['203.0.113.10'],
        sipAddress: 'sip.example.com:5060',
      },
    ],
  });

/** An account as the API shows it, without secrets. */
export const ProviderAccount = z
  .object({
    id: accountId,
    label: accountLabel,
    voice: z.discriminatedUnion('kind', [ShownVonage, ShownSip]).meta({
      description: 'The voice provider.',
      examples: [
        {
          kind: 'vonage',
          apiKey: '****c3d4',
          applicationId: '7b6a1e0c-5d3f-4a27-9c41-2f8e6d5b4a39',
          region: 'eu',
          sipDomain: null,
        },
      ],
    }),
    video: z
      .object({
        kind: z
          .enum(['opentok', 'unified', 'janus'])
          .meta({ description: 'The kind of video provider.', examples: ['unified'] }),
        apiKey: maskedKey('The API key of the OpenTok project. Null for `unified` and `janus`.').nullable(),
      })
      .meta({ description: 'The video provider.', examples: [{ kind: 'unified', apiKey: null }] }),
    version: z
      .int()
      .min(1)
      .meta({ description: 'Increases with each rotation.', examples: [1] }),
    verifiedAt: instant('When the provider last accepted these credentials.'),
    oldSecretsUntil: instant(
      'Until when webhooks that are signed with the previous secrets are valid. Null: they are not.',
    ).nullable(),
    addresses: z
      .object({
        answer: address('The answer URL of the application. POST.', 'voice/answer'),
        fallbackAnswer: address('The fallback answer URL of the application. POST.', 'voice/fallback'),
        events: address('The event URL of the application. POST.', 'voice/events'),
        videoEvents: address('The URL for session and SIP call monitoring, with secure callbacks.', 'video/events'),
      })
      .nullable()
      .meta({
        description: 'The URLs to set at Vonage, each with POST and signed. Null for a SIP trunk.',
        examples: [
          {
            answer: 'https://hooks.example.com/v1/accounts/acct_3q2-7wAAQkV1bWJlclBhcn/voice/answer',
            fallbackAnswer: 'https://hooks.example.com/v1/accounts/acct_3q2-7wAAQkV1bWJlclBhcn/voice/fallback',
            events: 'https://hooks.example.com/v1/accounts/acct_3q2-7wAAQkV1bWJlclBhcn/voice/events',
            videoEvents: 'https://hooks.example.com/v1/accounts/acct_3q2-7wAAQkV1bWJlclBhcn/video/events',
          },
        ],
      }),
    numbers: z.array(z.string()).meta({
      description:
        'Your dial-in numbers that use this account, as the operator assigned them, in order of digits. E.164.',
      examples: [['+12025550100']],
    }),
    createdAt: instant('When it was created.'),
  })
  .meta({
    id: 'ProviderAccount',
    description:
      'Your own account at the provider. The rooms on its numbers use it, and the provider bills their calls to it.',
  });
export type ProviderAccount = z.output<typeof ProviderAccount>;

/** The reply to `GET /v1/provider-accounts`. */
export const ProviderAccounts = z
  .object({ accounts: z.array(ProviderAccount).meta({ description: 'Oldest first, at most 10.' }) })
  .meta({ id: 'ProviderAccounts', description: 'All your provider accounts.' });
export type ProviderAccounts = z.output<typeof ProviderAccounts>;

/** The reply to `DELETE /v1/provider-accounts/{accountId}`. */
export const DeletedProviderAccount = z
  .object({ id: id('acct', 'The deleted account') })
  .meta({ id: 'DeletedProviderAccount', description: 'A deleted account. Its credentials are erased.' });
export type DeletedProviderAccount = z.output<typeof DeletedProviderAccount>;
