/**
 * Why something could not be delivered: the way was fine, and the receiver said no. Everything else is the way's fault.
 */
export class NotAccepted extends Error {
  override name = 'NotAccepted'
}
