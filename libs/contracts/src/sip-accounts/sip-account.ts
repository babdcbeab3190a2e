import { z } from 'zod';
import { id, instant, label } from '../fields.ts';

const sipAccountId = id('sip', 'The SIP account');
const accountLabel = label('Whose phone it is, as the list shows it.', 'Meeting room 3');

/** The body of `POST /v1/sip-accounts`. */
export const CreateSipAccount = z
  .strictObject({ label: accountLabel })
  .meta({ id: 'CreateSipAccount', examples: [{ label: 'Meeting room 3' }], description: 'A SIP account to create.' });
export type CreateSipAccount = z.output<typeof CreateSipAccount>;

/** A SIP account without its password. */
export const SipAccount = z
  .object({
    id: sipAccountId,
    label: accountLabel,
    username: z.string().meta({
      description: 'The user name of the phone, and the user of its SIP address. Equal to the id.',
      examples: ['sip_3q2-7wAAQkV1bWJlclBhcn'],
    }),
    server: z
      .string()
      .nullable()
      .meta({
        description: 'Host and port at which the phone registers, over UDP or TCP. Null: ask the operator.',
        examples: ['sip.example.com:5060'],
      }),
    version: z
      .int()
      .min(1)
      .meta({ description: 'Increases with each rotation.', examples: [1] }),
    createdAt: instant('When it was created.'),
  })
  .meta({
    id: 'SipAccount',
    description: 'The login of one SIP phone. It can call your conference numbers at the gateways of the platform.',
  });
export type SipAccount = z.output<typeof SipAccount>;

/** The reply to `POST /v1/sip-accounts` and to a rotation. */
export const SipAccountWithPassword = z
  .object({
    sipAccount: SipAccount,
    password: z
      .string()
      .meta({ description: 'The password of the phone. Shown only here.', examples: ['examplephonepassword1234'] }),
  })
  .meta({ id: 'SipAccountWithPassword', description: 'A SIP account and its password.' });
export type SipAccountWithPassword = z.output<typeof SipAccountWithPassword>;

/** The reply to `GET /v1/sip-accounts`. */
export const SipAccounts = z
  .object({ sipAccounts: z.array(SipAccount).meta({ description: 'Oldest first, at most 100.' }) })
  .meta({ id: 'SipAccounts', description: 'All your SIP accounts.' });
export type SipAccounts = z.output<typeof SipAccounts>;

/** The reply to `DELETE /v1/sip-accounts/{sipAccountId}`. */
export const DeletedSipAccount = z
  .object({ id: id('sip', 'The deleted SIP account') })
  .meta({ id: 'DeletedSipAccount', description: 'A deleted SIP account.' });
export type DeletedSipAccount = z.output<typeof DeletedSipAccount>;
