/* strftime_now: English names, whatever the locale. With a clock that was given, UTC; else the
 * system's clock in local time, as datetime.now(). */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "text/template/format.h"

static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};

/* Proleptic Gregorian date of a count of days since 1970 (H. Hinnant, "chrono-compatible date
 * algorithms"). */
static void civil(int64_t day, struct tm *tm) {
    day += 719468;
    int64_t era = (day >= 0 ? day : day - 146096) / 146097, doe = day - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int64_t month = mp < 10 ? mp + 3 : mp - 9, year = yoe + era * 400 + (month <= 2);
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    tm->tm_year = (int)(year - 1900);
    tm->tm_mon = (int)month - 1;
    tm->tm_mday = (int)(doy - (153 * mp + 2) / 5 + 1);
    tm->tm_yday = before[tm->tm_mon] + tm->tm_mday - 1 + (leap && month > 2);
}

static bool utc(int64_t now, struct tm *tm) {
    int64_t day = now / 86400, second = now % 86400;
    if (now < -62135596800 || now > 253402300799) return false; // the years 1 to 9999
    if (second < 0) {
        second += 86400;
        day--;
    }
    *tm = (struct tm){.tm_hour = (int)(second / 3600),
                      .tm_min = (int)(second / 60 % 60),
                      .tm_sec = (int)(second % 60)};
    tm->tm_wday = (int)(((day + 4) % 7 + 7) % 7);
    civil(day, tm);
    return true;
}

/* Week of the year whose first day is Sunday (0) or Monday (1). */
static int week(const struct tm *tm, int first) {
    return (tm->tm_yday + 7 - (tm->tm_wday + 7 - first) % 7) / 7;
}

static bool leap_year(int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

/* ISO 8601: the week belongs to the year that has its Thursday. */
static void iso_week(const struct tm *tm, int *year, int *number) {
    int weekday = (tm->tm_wday + 6) % 7, y = tm->tm_year + 1900;
    int n = (tm->tm_yday - weekday + 10) / 7;
    if (n < 1) {
        y--;
        int yday = tm->tm_yday + 365 + leap_year(y);
        n = (yday - weekday + 10) / 7;
    } else if (n == 53 && tm->tm_yday - weekday + 3 >= 365 + leap_year(y)) {
        y++;
        n = 1;
    }
    *year = y;
    *number = n;
}

static void put_number(struct strbuf *out, const char *format, int n, unsigned char mark) {
    char text[24];
    snprintf(text, sizeof text, format, n);
    strbuf_put(out, text, strlen(text), mark);
}

static bool put_code(struct render *r, struct strbuf *out, const struct tm *tm, char code,
                     unsigned char mark);

static bool put_all(struct render *r, struct strbuf *out, const struct tm *tm, const char *format,
                    unsigned char mark) {
    for (; *format; format++) {
        if (*format != '%')
            strbuf_put(out, format, 1, mark);
        else if (!put_code(r, out, tm, *++format, mark))
            return false;
    }
    return true;
}

/* Letters whose value is a number. */
static bool put_digits(struct strbuf *out, const struct tm *tm, char code, unsigned char mark) {
    int hour = tm->tm_hour % 12, iso_year, iso;
    iso_week(tm, &iso_year, &iso);
    switch (code) {
    case 'd': put_number(out, "%02d", tm->tm_mday, mark); break;
    case 'e': put_number(out, "%2d", tm->tm_mday, mark); break;
    case 'm': put_number(out, "%02d", tm->tm_mon + 1, mark); break;
    case 'Y': put_number(out, "%d", tm->tm_year + 1900, mark); break;
    case 'y': put_number(out, "%02d", (tm->tm_year + 1900) % 100, mark); break;
    case 'C': put_number(out, "%02d", (tm->tm_year + 1900) / 100, mark); break;
    case 'G': put_number(out, "%d", iso_year, mark); break;
    case 'g': put_number(out, "%02d", iso_year % 100, mark); break;
    case 'V': put_number(out, "%02d", iso, mark); break;
    case 'U': put_number(out, "%02d", week(tm, 0), mark); break;
    case 'W': put_number(out, "%02d", week(tm, 1), mark); break;
    case 'H': put_number(out, "%02d", tm->tm_hour, mark); break;
    case 'k': put_number(out, "%2d", tm->tm_hour, mark); break;
    case 'I': put_number(out, "%02d", hour ? hour : 12, mark); break;
    case 'l': put_number(out, "%2d", hour ? hour : 12, mark); break;
    case 'M': put_number(out, "%02d", tm->tm_min, mark); break;
    case 'S': put_number(out, "%02d", tm->tm_sec, mark); break;
    case 'f': put_number(out, "%06d", 0, mark); break; // the clock has whole seconds
    case 'j': put_number(out, "%03d", tm->tm_yday + 1, mark); break;
    case 'w': put_number(out, "%d", tm->tm_wday, mark); break;
    case 'u': put_number(out, "%d", tm->tm_wday ? tm->tm_wday : 7, mark); break;
    default: return false;
    }
    return true;
}

static bool put_code(struct render *r, struct strbuf *out, const struct tm *tm, char code,
                     unsigned char mark) {
    const char *day = days[tm->tm_wday], *month = months[tm->tm_mon];
    if (put_digits(out, tm, code, mark)) return true;
    switch (code) {
    case 'a': strbuf_put(out, day, 3, mark); return true;
    case 'A': strbuf_put(out, day, strlen(day), mark); return true;
    case 'b':
    case 'h': strbuf_put(out, month, 3, mark); return true;
    case 'B': strbuf_put(out, month, strlen(month), mark); return true;
    case 'p': strbuf_put(out, tm->tm_hour < 12 ? "AM" : "PM", 2, mark); return true;
    case 'P': strbuf_put(out, tm->tm_hour < 12 ? "am" : "pm", 2, mark); return true;
    case 'n': strbuf_put(out, "\n", 1, mark); return true;
    case 't': strbuf_put(out, "\t", 1, mark); return true;
    case '%': strbuf_put(out, "%", 1, mark); return true;
    case 'Z':
    case 'z': return true; // a naive time has no zone: Python prints nothing
    case 'c': return put_all(r, out, tm, "%a %b %e %H:%M:%S %Y", mark);
    case 'x':
    case 'D': return put_all(r, out, tm, "%m/%d/%y", mark);
    case 'X':
    case 'T': return put_all(r, out, tm, "%H:%M:%S", mark);
    case 'R': return put_all(r, out, tm, "%H:%M", mark);
    case 'r': return put_all(r, out, tm, "%I:%M:%S %p", mark);
    case 'F': return put_all(r, out, tm, "%Y-%m-%d", mark);
    default:
        render_unsupported(r, "strftime_now does not know %%%c", code ? code : ' ');
        return false;
    }
}

struct value *format_time(struct render *r, struct str format) {
    struct strbuf out = {.r = r};
    struct tm tm;
    if (r->has_now) {
        if (!utc(r->now, &tm)) return render_fail(r, "the clock is outside the years 1 to 9999");
    } else {
        time_t now = time(NULL);
        if (!localtime_r(&now, &tm)) return render_fail(r, "the system has no local time");
    }
    for (size_t i = 0; i < format.len; i++) {
        unsigned char mark = str_mark(format, i);
        if (format.data[i] != '%')
            strbuf_put(&out, format.data + i, 1, mark);
        else if (!put_code(r, &out, &tm, ++i < format.len ? format.data[i] : '\0', mark))
            return NULL;
    }
    return strbuf_value(&out);
}
