package io.fraudlake.profile;

/** Where and when a key was last seen in person, and by which transaction. */
final class LastPlace {

    private static final double EARTH_RADIUS_KM = 6371.0088;

    /** Two uses at one instant would give infinite speed: a minute is the least that counts. */
    private static final long SHORTEST_GAP_MS = 60_000;

    boolean isKnown;
    long time;
    double latitude;
    double longitude;
    byte[] transactionId;

    /** Travel from the last place to this one makes sense only forwards in time. */
    boolean isBefore(long now) {
        return isKnown && time <= now;
    }

    double kmTo(double toLatitude, double toLongitude) {
        double phi1 = Math.toRadians(latitude);
        double phi2 = Math.toRadians(toLatitude);
        double sinPhi = Math.sin((phi2 - phi1) / 2);
        double sinLambda = Math.sin(Math.toRadians(toLongitude - longitude) / 2);
        double a = sinPhi * sinPhi + Math.cos(phi1) * Math.cos(phi2) * sinLambda * sinLambda;
        return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(a)));
    }

    double gapMinutes(long now) {
        return (now - time) / 60_000.0;
    }

    double kmh(double km, long now) {
        return km / (Math.max(now - time, SHORTEST_GAP_MS) / 3_600_000.0);
    }

    void moveTo(long newTime, double newLatitude, double newLongitude, byte[] newTransactionId) {
        isKnown = true;
        time = newTime;
        latitude = newLatitude;
        longitude = newLongitude;
        transactionId = newTransactionId;
    }

    void read(ByteReader in) {
        isKnown = in.int8() != 0;
        if (isKnown) {
            time = in.int64();
            latitude = in.float64();
            longitude = in.float64();
            transactionId = in.array();
        }
    }

    void write(ByteWriter out) {
        out.int8((byte) (isKnown ? 1 : 0));
        if (isKnown) {
            out.int64(time);
            out.float64(latitude);
            out.float64(longitude);
            out.array(transactionId);
        }
    }
}
