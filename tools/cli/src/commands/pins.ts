import type { CreatePinData } from '@partyline/sdk/types';
import type { CommandSpec } from '../command.ts';

export const pins: readonly CommandSpec[] = [
  {
    usage: 'list <room>',
    description: 'List the personal PINs of a room, without their digits.',
    operations: ['listPins'],
    examples: ['pins list room_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [roomId = '']) {
      out.table(
        (await client().pins.list(roomId)).pins,
        ['id', 'name', 'role', 'participantId', 'createdAt'],
        'No personal PINs.',
      );
    },
  },
  {
    usage: 'add <room> <name>',
    description: 'Create a personal PIN and print it. The PIN cannot be read again.',
    operations: ['createPin'],
    fields: { operation: 'createPin', omit: ['name'] },
    examples: ['pins add room_3q2-7wAAQkV1bWJlclBhcn Grace --role host'],
    async run({ out, client, fields }, [roomId = '', name = '']) {
      out.object(await client().pins.create(roomId, { name, ...fields<Omit<CreatePinData['body'], 'name'>>() }), [
        'id',
        'name',
        'role',
        'number',
        'pinSpaced',
        'tapToCall',
      ]);
    },
  },
  {
    usage: 'rotate <room>',
    description: "Replace the room's two PINs. The old PINs are rejected at once.",
    operations: ['rotatePins'],
    examples: ['pins rotate room_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [roomId = '']) {
      out.object(await client().pins.rotate(roomId), ['pinSpaced', 'hostPinSpaced', 'tapToCall']);
    },
  },
  {
    usage: 'remove <room> <pin>',
    description: 'Delete a personal PIN by its id. The PIN is rejected at once.',
    operations: ['deletePin'],
    examples: ['pins remove room_3q2-7wAAQkV1bWJlclBhcn pin_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [roomId = '', pinId = '']) {
      out.object(await client().pins.delete(roomId, pinId));
    },
  },
];
