/** What callers hear. One table; a language that is not here is answered in English. */
const PHRASES = {
  en: {
    welcome: 'Welcome. Please enter your PIN, followed by the hash key.',
    'wrong-pin': 'This PIN is not known. Please try again, followed by the hash key.',
    'too-many-tries': 'This PIN is not known either. Please check it and call again. Good bye.',
    joining: 'Thank you. You are joining the conference now.',
    full: 'This conference is full. Please try again later. Good bye.',
    'not-in-service': 'This number is not in service. Good bye.',
  },
  de: {
    welcome: 'Willkommen. Bitte geben Sie Ihre PIN ein und schließen Sie mit der Rautetaste ab.',
    'wrong-pin': 'Diese PIN ist nicht bekannt. Bitte versuchen Sie es noch einmal und schließen Sie mit der Rautetaste ab.',
    'too-many-tries': 'Auch diese PIN ist nicht bekannt. Bitte prüfen Sie sie und rufen Sie wieder an. Auf Wiederhören.',
    joining: 'Vielen Dank. Sie werden jetzt mit der Konferenz verbunden.',
    full: 'Diese Konferenz ist voll. Bitte versuchen Sie es später noch einmal. Auf Wiederhören.',
    'not-in-service': 'Diese Nummer ist nicht vergeben. Auf Wiederhören.',
  },
  fr: {
    welcome: 'Bienvenue. Veuillez saisir votre code, puis appuyer sur la touche dièse.',
    'wrong-pin': "Ce code n'est pas connu. Veuillez réessayer, puis appuyer sur la touche dièse.",
    'too-many-tries': "Ce code n'est pas connu non plus. Veuillez le vérifier et rappeler. Au revoir.",
    joining: 'Merci. Vous rejoignez la conférence.',
    full: 'Cette conférence est complète. Veuillez réessayer plus tard. Au revoir.',
    'not-in-service': "Ce numéro n'est pas en service. Au revoir.",
  },
  es: {
    welcome: 'Bienvenido. Marque su código y pulse la tecla almohadilla.',
    'wrong-pin': 'Este código no es conocido. Inténtelo de nuevo y pulse la tecla almohadilla.',
    'too-many-tries': 'Este código tampoco es conocido. Compruébelo y vuelva a llamar. Adiós.',
    joining: 'Gracias. Se está uniendo a la conferencia.',
    full: 'Esta conferencia está completa. Inténtelo más tarde. Adiós.',
    'not-in-service': 'Este número no está en servicio. Adiós.',
  },
} as const;

export type Phrase = keyof (typeof PHRASES)['en'];

/** @param language BCP 47, as the number has it, e.g. `de-DE` */
export function phrase(language: string, which: Phrase): string {
  const base = language.split('-')[0] as keyof typeof PHRASES;
  return (PHRASES[base] ?? PHRASES.en)[which];
}
