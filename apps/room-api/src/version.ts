/** The version of Partyline: of the API document, the SDK, the command line and the images. */
export const VERSION = '0.1.0';
