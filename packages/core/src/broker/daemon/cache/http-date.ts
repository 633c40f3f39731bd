const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

const IMF_FIXDATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/
const RFC_850 = /^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\d\d)-([A-Z][a-z]{2})-(\d\d) (\d\d):(\d\d):(\d\d) GMT$/
const ASCTIME = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})$/

/**
 * The milliseconds since 1970 of a date in one of HTTP's three forms; NaN for anything else.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
 */
export function parseHttpDate(text: string): number {
  const fixed = IMF_FIXDATE.exec(text)
  if (fixed !== null) return time(fixed[3]!, fixed[2]!, fixed[1]!, fixed[4]!, fixed[5]!, fixed[6]!)
  const old = RFC_850.exec(text)
  if (old !== null) return time(String(fullYear(Number(old[3]))), old[2]!, old[1]!, old[4]!, old[5]!, old[6]!)
  const asctime = ASCTIME.exec(text)
  if (asctime === null) return NaN
  return time(asctime[6]!, asctime[1]!, asctime[2]!, asctime[3]!, asctime[4]!, asctime[5]!)
}

/** A year of two digits that seems to be more than 50 years ahead is the last one that ended so. */
function fullYear(twoDigits: number): number {
  const thisYear = new Date().getUTCFullYear()
  const year = thisYear - (thisYear % 100) + twoDigits
  return year > thisYear + 50 ? year - 100 : year
}

function time(year: string, month: string, day: string, hour: string, minute: string, second: string): number {
  const index = MONTHS.indexOf(month)
  if (index === -1 || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return NaN
  const date = Date.UTC(Number(year), index, Number(day), Number(hour), Number(minute), Number(second))
  return new Date(date).getUTCMonth() === index ? date : NaN
}
