import { ChangeEndpoint, CreateEndpoint, DeletedEndpoint, Delivery, DeliveryPage, Endpoint, Endpoints, EndpointWithSecret, ListDeliveries, Ping, Replay, Replayed, RotateSecret } from '../endpoint.ts';
import { badBody, badQuery, type Operation } from '../operation.ts';

const noEndpoint = { 404: '`endpoint-not-found`: there is no such endpoint, or it is another tenant’s.' };
const noDelivery = { 404: '`delivery-not-found`: there is no such delivery, or it is another tenant’s.' };
const badUrl = { ...badBody, 422: `${badBody[422]} \`url-refused\`: it is no address in the open internet that we send to.` };
const disabled = { 409: '`endpoint-disabled`: the endpoint is disabled.' };
const gone = { 410: '`event-gone`: events are kept for 30 days, and what is asked for is older.' };

export const ENDPOINT_OPERATIONS: readonly Operation[] = [
  {
    id: 'createEndpoint', method: 'post', path: '/v1/endpoints', tag: 'endpoints', scope: 'admin', summary: 'Create an endpoint',
    description: 'Has your events sent to an address, from the next one on, and shows the secret that they are signed with, once. At most ten.',
    body: CreateEndpoint, reply: { status: 201, schema: EndpointWithSecret }, problems: { ...badUrl, 409: '`too-many-endpoints`: there are ten already.' },
  },
  { id: 'listEndpoints', method: 'get', path: '/v1/endpoints', tag: 'endpoints', scope: 'events:read', summary: 'List endpoints', description: 'All your endpoints, oldest first.', reply: { status: 200, schema: Endpoints }, problems: {} },
  { id: 'getEndpoint', method: 'get', path: '/v1/endpoints/{endpointId}', tag: 'endpoints', scope: 'events:read', summary: 'Look at an endpoint', description: 'One endpoint: what it wants, and how it does.', reply: { status: 200, schema: Endpoint }, problems: noEndpoint },
  {
    id: 'changeEndpoint', method: 'patch', path: '/v1/endpoints/{endpointId}', tag: 'endpoints', scope: 'admin', summary: 'Change an endpoint',
    description: 'Changes its address, its types, or whether anything is sent to it. What happens while it is disabled is not sent, but can be replayed.',
    body: ChangeEndpoint, reply: { status: 200, schema: Endpoint }, problems: { ...noEndpoint, ...badUrl },
  },
  {
    id: 'deleteEndpoint', method: 'delete', path: '/v1/endpoints/{endpointId}', tag: 'endpoints', scope: 'admin', summary: 'Delete an endpoint',
    description: 'Nothing more is sent to it, and its log goes with it.', reply: { status: 200, schema: DeletedEndpoint }, problems: noEndpoint,
  },
  {
    id: 'rotateEndpointSecret', method: 'post', path: '/v1/endpoints/{endpointId}/rotate-secret', tag: 'endpoints', scope: 'admin', summary: 'Replace its secret',
    description: 'Makes a new secret and shows it, once. What is sent is signed with the old one too for a day, or for as long as you say.',
    body: RotateSecret, reply: { status: 200, schema: EndpointWithSecret }, problems: { ...noEndpoint, ...badBody },
  },
  {
    id: 'pingEndpoint', method: 'post', path: '/v1/endpoints/{endpointId}/ping', tag: 'endpoints', scope: 'admin', summary: 'Send a test event',
    description: 'Sends an `endpoint.ping`, to see whether it arrives. Takes no body.', reply: { status: 202, schema: Ping }, problems: { ...noEndpoint, ...disabled },
  },
  {
    id: 'listDeliveries', method: 'get', path: '/v1/endpoints/{endpointId}/deliveries', tag: 'endpoints', scope: 'events:read', summary: 'See what was sent',
    description: 'What was and is to be sent to an endpoint, the newest events first, a page at a time, with every attempt. What was done with 30 days ago is gone.', query: ListDeliveries, reply: { status: 200, schema: DeliveryPage }, problems: { ...noEndpoint, ...badQuery },
  },
  {
    id: 'replayEvents', method: 'post', path: '/v1/endpoints/{endpointId}/replay', tag: 'endpoints', scope: 'admin', summary: 'Send events again',
    description: 'Sends the events of a time within the last 30 days, or those that you name, again or for the first time, at most 1000 for a request. Each keeps its id.',
    body: Replay, reply: { status: 202, schema: Replayed }, problems: { ...noEndpoint, ...disabled, ...gone, ...badBody },
  },
  {
    id: 'replayDelivery', method: 'post', path: '/v1/deliveries/{deliveryId}/replay', tag: 'endpoints', scope: 'admin', summary: 'Send one again',
    description: 'Begins a delivery anew, whatever became of it. Takes no body.', reply: { status: 202, schema: Delivery }, problems: { ...noDelivery, ...disabled },
  },
];
