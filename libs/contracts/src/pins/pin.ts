import { z } from 'zod';
import { id, instant, label, phoneNumber, role } from '../fields.ts';

const digits = z.string().regex(/^\d{6,12}$/);
const spaced = z.string();

export const pin = digits.meta({
  description: 'The PIN for callers, who key it with a final #. 6 to 12 digits.',
  examples: ['407281935'],
});
export const pinSpaced = spaced.meta({
  description: 'The PIN in groups of three, to print or read aloud.',
  examples: ['407 281 935'],
});
export const hostPin = digits.meta({
  description: 'The PIN for hosts, who key it with a final #.',
  examples: ['518293046'],
});
export const hostPinSpaced = spaced.meta({
  description: 'The host PIN in groups of three.',
  examples: ['518 293 046'],
});
export const tapToCall = z.string().meta({
  description: 'A link that dials the number and enters the PIN.',
  examples: ['tel:+12025550100,,407281935'],
});

/** The body of `POST /v1/rooms/{id}/pins`. */
export const CreatePin = z
  .strictObject({ name: label('The name of the participant.', 'Grace'), role: role.default('participant') })
  .meta({ id: 'CreatePin', examples: [{ name: 'Grace', role: 'host' }], description: 'The owner of a personal PIN.' });
export type CreatePin = z.output<typeof CreatePin>;

const fields = {
  id: id('pin', 'The id of the PIN, not its digits'),
  participantId: id('part', 'The participant that owns the PIN'),
  name: z.string().meta({ description: 'The name of the participant.', examples: ['Grace'] }),
  role,
};

/** A personal PIN in a list. */
const PersonalPin = z
  .object({ ...fields, createdAt: instant('When the PIN was created.') })
  .meta({ id: 'PersonalPin', description: 'A personal PIN, without its digits.' });
type PersonalPin = z.output<typeof PersonalPin>;

/** The reply to `POST /v1/rooms/{id}/pins`. */
export const CreatedPin = z
  .object({
    ...fields,
    pin: digits.meta({
      description: 'The digits, keyed with a final #. Shown only once.',
      examples: ['629405183'],
    }),
    pinSpaced: spaced.meta({
      description: 'The PIN in groups of three, to print or read aloud.',
      examples: ['629 405 183'],
    }),
    number: phoneNumber('The dial-in number.', '+12025550100'),
    tapToCall: tapToCall.meta({
      description: 'A link that dials the number and enters the PIN.',
      examples: ['tel:+12025550100,,629405183'],
    }),
  })
  .meta({ id: 'CreatedPin', description: 'A new personal PIN.' });
export type CreatedPin = z.output<typeof CreatedPin>;

/** The reply to `GET /v1/rooms/{id}/pins`. */
export const Pins = z
  .object({ pins: z.array(PersonalPin).meta({ description: 'Oldest first.' }) })
  .meta({ id: 'Pins', description: 'The personal PINs of a room.' });
export type Pins = z.output<typeof Pins>;

/** The reply to `DELETE /v1/rooms/{id}/pins/{pinId}`. */
export const DeletedPin = z
  .object({ id: id('pin', 'The deleted PIN') })
  .meta({ id: 'DeletedPin', description: 'A deleted personal PIN.' });
export type DeletedPin = z.output<typeof DeletedPin>;

/** The reply to `POST /v1/rooms/{id}/pins/rotate`. */
export const RotatedPins = z
  .object({ pin, pinSpaced, hostPin, hostPinSpaced, tapToCall })
  .meta({ id: 'RotatedPins', description: 'The new PINs of a room. The previous PINs no longer work.' });
export type RotatedPins = z.output<typeof RotatedPins>;
