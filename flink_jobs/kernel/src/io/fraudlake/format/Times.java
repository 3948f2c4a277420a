package io.fraudlake.format;

/**
 * RFC 3339 times in UTC, read and written by hand: this runs twice for every record, and the JDK's
 * formatter costs more than the rest of the decoding.
 */
final class Times {

    static final long INVALID = Long.MIN_VALUE;

    private static final long MS_PER_DAY = 86_400_000L;
    private static final int[] DAYS_IN_MONTH = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    private Times() {}

    /** Milliseconds since 1970 of {@code 2026-11-23T01:02:03[.f]Z}; INVALID for anything else. */
    static long parse(String text) {
        int length = text.length();
        if (length < 20
                || text.charAt(4) != '-'
                || text.charAt(7) != '-'
                || text.charAt(10) != 'T'
                || text.charAt(13) != ':'
                || text.charAt(16) != ':') {
            return INVALID;
        }
        int year = digits(text, 0, 4);
        int month = digits(text, 5, 2);
        int day = digits(text, 8, 2);
        int hour = digits(text, 11, 2);
        int minute = digits(text, 14, 2);
        int second = digits(text, 17, 2);
        if ((year | month | day | hour | minute | second) < 0) {
            return INVALID;
        }
        if (year < 1970 || !isDay(year, month, day) || hour > 23 || minute > 59 || second > 59) {
            return INVALID;
        }
        int position = 19;
        int millis = 0;
        if (text.charAt(position) == '.') {
            int start = ++position;
            int scale = 100;
            while (position < length && isDigit(text.charAt(position))) {
                millis += scale * (text.charAt(position) - '0');
                scale /= 10;
                position++;
            }
            if (position == start || position - start > 9) {
                return INVALID;
            }
        }
        if (!isUtc(text, position)) {
            return INVALID;
        }
        long seconds = hour * 3600L + minute * 60L + second;
        return daysSinceEpoch(year, month, day) * MS_PER_DAY + seconds * 1000 + millis;
    }

    /** Writes {@code 2026-11-23T01:02:03.456Z}. */
    static void write(JsonBytes out, long epochMs) {
        long days = Math.floorDiv(epochMs, MS_PER_DAY);
        int ms = (int) Math.floorMod(epochMs, MS_PER_DAY);
        // Howard Hinnant, "chrono-compatible low-level date algorithms": civil_from_days.
        long z = days + 719_468;
        long era = Math.floorDiv(z, 146_097);
        long doe = z - era * 146_097;
        long yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        long doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        long mp = (5 * doy + 2) / 153;
        int day = (int) (doy - (153 * mp + 2) / 5 + 1);
        int month = (int) (mp < 10 ? mp + 3 : mp - 9);
        int year = (int) (yoe + era * 400 + (month <= 2 ? 1 : 0));
        out.padded(year, 4).raw('-').padded(month, 2).raw('-').padded(day, 2).raw('T');
        out.padded(ms / 3_600_000, 2).raw(':').padded(ms / 60_000 % 60, 2).raw(':');
        out.padded(ms / 1000 % 60, 2).raw('.').padded(ms % 1000, 3).raw('Z');
    }

    private static boolean isUtc(String text, int position) {
        int left = text.length() - position;
        return left == 1 && text.charAt(position) == 'Z'
                || left == 6 && text.startsWith("+00:00", position);
    }

    private static boolean isDay(int year, int month, int day) {
        if (month < 1 || month > 12 || day < 1 || day > DAYS_IN_MONTH[month - 1]) {
            return false;
        }
        boolean isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        return month != 2 || day < 29 || isLeap;
    }

    /** Howard Hinnant's days_from_civil, years 1970 and later. */
    private static long daysSinceEpoch(int year, int month, int day) {
        long y = month <= 2 ? year - 1 : year;
        long era = y / 400;
        long yoe = y - era * 400;
        long doy = (153L * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
        long doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
        return era * 146_097 + doe - 719_468;
    }

    private static int digits(String text, int from, int count) {
        int value = 0;
        for (int i = from; i < from + count; i++) {
            char c = text.charAt(i);
            if (!isDigit(c)) {
                return -1;
            }
            value = value * 10 + (c - '0');
        }
        return value;
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }
}
