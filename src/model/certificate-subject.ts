/**
 * Who a client certificate has to be for: the same shape on the cluster and on a database.
 */
import Type, { type Static } from 'typebox'
import { list, oneOf, record, text } from './shapes.ts'

/** Attributes count by upper and lower case. */
export const certificateSubject = () =>
  record({
    CN: text('', 'Common name.'),
    O: Type.Optional(text('', 'Organisation.')),
    OU: Type.Optional(list(text('', 'A unit.'), 'Units of the organisation.', 100)),
    L: Type.Optional(text('', 'Town.')),
    ST: Type.Optional(text('', 'State or province.')),
    C: Type.Optional(text('', 'Country, by its two letters.')),
  })
export type CertificateSubject = Static<ReturnType<typeof certificateSubject>>

const VALIDATIONS = ['disabled', 'san_cn', 'full_subject'] as const

/** How much of the subject is compared. */
export const subjectValidation = (description: string) => oneOf([...VALIDATIONS], 'disabled', description)
export type SubjectValidation = (typeof VALIDATIONS)[number]
