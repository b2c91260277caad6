import { type Member, OBJECTS, type ObjectName, type Personality, type Type } from './objects.ts'

/** Where an answer departs from the contract: one line each, naming the member; empty when it does not. */
export function departures(name: ObjectName, answer: unknown, personality: Personality): string[] {
  return ofObject(name, answer, personality, name)
}

function ofObject(name: ObjectName, value: unknown, personality: Personality, at: string): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${at} is not an object`]
  const members: Readonly<Record<string, Member>> = OBJECTS[name]
  const found = Object.entries(value).flatMap(([key, inner]) => {
    const member = members[key]
    return member === undefined ? [`${at}.${key} is unknown`] : ofMember(member, inner, personality, `${at}.${key}`)
  })
  const missing = Object.entries(members)
    .filter(([key, { always }]) => (always === 'both' || always === personality) && !(key in value))
    .map(([key]) => `${at}.${key} is missing`)
  return [...found, ...missing]
}

function ofMember(member: Member, value: unknown, personality: Personality, at: string): string[] {
  if (member.never) return [`${at} must never be answered`]
  if (value === null) return member.nullable ? [] : [`${at} is null`]
  const { type } = member
  if (typeof type === 'string') return hasType(type, value) ? [] : [`${at} is not of the type ${type}`]
  if ('object' in type) return ofObject(type.object, value, personality, at)
  if (!Array.isArray(value)) return [`${at} is not a list`]
  return value.flatMap((item, index) => ofObject(type.list, item, personality, `${at}[${index}]`))
}

function hasType(type: Extract<Type, string>, value: unknown): boolean {
  switch (type) {
    case 'string':
      return typeof value === 'string'
    case 'base64url':
      return typeof value === 'string' && /^[A-Za-z0-9_-]*$/.test(value)
    case 'integer':
      return Number.isSafeInteger(value)
    case 'unixtime':
      return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < 1e11
    case 'boolean':
      return typeof value === 'boolean'
    case 'strings':
      return Array.isArray(value) && value.every((item) => typeof item === 'string')
    case 'tags':
      return (
        typeof value === 'object' && value !== null && Object.values(value).every((item) => typeof item === 'string')
      )
  }
}
