/**
 * Which version this is, and which version of the documented API it speaks.
 */
export const HOLDFAST_VERSION = '0.1.0'
/** In the form of the original's `software_version`, because clients compare it: release, hyphen, build. */
export const API_VERSION = '8.2.0-0'
