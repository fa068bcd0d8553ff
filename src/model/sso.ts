/**
 * The sso object of the API: whether people sign in through an identity provider that speaks SAML 2.0, which one, and
 * under which address it finds the API.
 */
import { applied, reported } from './field.ts'
import { compileObject, type ObjectParser, settableDefaultsOf } from './parse.ts'
import { flag, objectOf, oneOf, type SettableOf, settings, text } from './shapes.ts'

const URL_MAX = 2_048
const HTTP_URL = '^(https?://[^\\s<>"]+)?$'

const fields = {
  control_plane: applied(flag(false, 'Whether people can sign in to the API by SSO.')),
  enforce_control_plane: applied(
    flag(false, 'Whether those who are no administrators can sign in with a password no more, while SSO is on.'),
  ),
  protocol: applied(oneOf(['saml2'], 'saml2', 'What the identity provider speaks.')),
  issuer: applied(
    settings(
      {
        id: text('', 'What the identity provider calls itself: "urn:sso:example:idp".'),
        login_url: text('', 'Where people are sent to sign in.', { maxLength: URL_MAX, pattern: HTTP_URL }),
        logout_url: text('', 'Where they are sent to sign out; empty: nowhere.', {
          maxLength: URL_MAX,
          pattern: HTTP_URL,
        }),
        metadata: reported(text('', 'The metadata of the identity provider as it was uploaded, in Base64.')),
      },
      'The identity provider.',
    ),
  ),
  service: applied(
    settings(
      {
        address: text('', 'Where browsers reach the API; empty: the name of the cluster and the port of the API.', {
          maxLength: 300,
          pattern: '^((https?://)?([a-zA-Z0-9.\\-]+|\\[[a-fA-F0-9:]+\\])(:[0-9]{1,5})?)?$',
        }),
        saml2: reported(
          settings(
            {
              entity_id: text('', 'What the cluster is called by the identity provider.'),
              acs_url: text('', 'Where assertions are posted to.'),
              slo_url: text('', 'Where browsers come back to after signing out.'),
            },
            'What follows from the address.',
          ),
        ),
      },
      'The cluster, as the identity provider knows it.',
    ),
  ),
}

export const SsoObject = objectOf('sso', fields)

type Given = SettableOf<typeof fields>

/** What can be set. */
export type SsoSettings = Omit<Given, 'issuer' | 'service'> & {
  readonly issuer: Omit<Given['issuer'], 'metadata'>
  readonly service: Omit<Given['service'], 'saml2'>
}

export const ssoParser: ObjectParser<Partial<SsoSettings>> = compileObject<Partial<SsoSettings>>(SsoObject)

export function ssoDefaults(): SsoSettings {
  return settableOf(settableDefaultsOf<SsoSettings>(SsoObject))
}

/** Without what only the cluster itself says. */
export function settableOf({ issuer, service, ...others }: SsoSettings): SsoSettings {
  const { id, login_url, logout_url } = issuer
  return { ...others, issuer: { id, login_url, logout_url }, service: { address: service.address } }
}
