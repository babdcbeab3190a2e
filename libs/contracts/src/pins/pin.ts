import { z } from 'zod';
import { id, instant, label, phoneNumber, role } from '../fields.ts';

/** The body of `POST /v1/rooms/{id}/pins`. */
export const CreatePin = z
  .strictObject({ name: label('The person’s name on the roster.', 'Grace'), role: role.default('participant') })
  .meta({ id: 'CreatePin', description: 'Somebody who is to have a PIN of their own.' });
export type CreatePin = z.output<typeof CreatePin>;

const fields = {
  id: id('pin', 'The PIN’s id; not the PIN'),
  participantId: id('part', 'The roster entry of who calls with it'),
  name: z.string().meta({ description: 'Whose it is.', examples: ['Grace'] }),
  role,
};
const pin = z.string().regex(/^\d{6,12}$/);
const spaced = z.string();

/** A person's PIN as it is listed. */
const PersonalPin = z
  .object({ ...fields, createdAt: instant('When it was given.') })
  .meta({ id: 'PersonalPin', description: 'That somebody has a PIN of their own. The PIN itself was shown once.' });
type PersonalPin = z.output<typeof PersonalPin>;

/** The reply to `POST /v1/rooms/{id}/pins`. */
export const CreatedPin = z
  .object({
    ...fields,
    pin: pin.meta({
      description: 'What this person keys, followed by the hash key. Shown this once.',
      examples: ['629405183'],
    }),
    pinSpaced: spaced.meta({
      description: 'The PIN in groups of three, to print or read out.',
      examples: ['629 405 183'],
    }),
    number: phoneNumber('The number to dial.', '+12025550100'),
    tapToCall: z.string().meta({
      description: 'A link that dials the number, waits, and keys the PIN, in one tap.',
      examples: ['tel:+12025550100,,629405183#'],
    }),
  })
  .meta({ id: 'CreatedPin', description: 'A PIN of somebody’s own.' });
export type CreatedPin = z.output<typeof CreatedPin>;

/** The reply to `GET /v1/rooms/{id}/pins`. */
export const Pins = z
  .object({ pins: z.array(PersonalPin).meta({ description: 'Oldest first.' }) })
  .meta({ id: 'Pins', description: 'Who has a PIN of their own.' });
export type Pins = z.output<typeof Pins>;

/** The reply to `DELETE /v1/rooms/{id}/pins/{pinId}`. */
export const DeletedPin = z
  .object({ id: id('pin', 'The PIN that lets nobody in any more') })
  .meta({ id: 'DeletedPin', description: 'A PIN that was taken out of use.' });
export type DeletedPin = z.output<typeof DeletedPin>;

/** The reply to `POST /v1/rooms/{id}/pins/rotate`. */
export const RotatedPins = z
  .object({
    pin: pin.meta({ description: 'What a caller keys from now on.', examples: ['407281935'] }),
    pinSpaced: spaced.meta({ description: 'The PIN in groups of three.', examples: ['407 281 935'] }),
    hostPin: pin.meta({ description: 'What a host keys from now on.', examples: ['518293046'] }),
    hostPinSpaced: spaced.meta({ description: 'The host’s PIN in groups of three.', examples: ['518 293 046'] }),
    tapToCall: z.string().meta({
      description: 'A link that dials the number, waits, and keys the PIN, in one tap.',
      examples: ['tel:+12025550100,,407281935#'],
    }),
  })
  .meta({ id: 'RotatedPins', description: 'A room’s new PINs. The old ones let nobody in any more.' });
export type RotatedPins = z.output<typeof RotatedPins>;
