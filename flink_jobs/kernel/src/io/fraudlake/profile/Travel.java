package io.fraudlake.profile;

/** Great-circle distance and speed between two places. */
final class Travel {

    private static final double EARTH_RADIUS_KM = 6371.0088;

    /** Two uses at one instant would give infinite speed: a minute is the least that counts. */
    private static final long SHORTEST_GAP_MS = 60_000;

    private Travel() {}

    /** The haversine formula; degrees in, kilometres out. */
    static double km(double latitude1, double longitude1, double latitude2, double longitude2) {
        double phi1 = Math.toRadians(latitude1);
        double phi2 = Math.toRadians(latitude2);
        double sinPhi = Math.sin((phi2 - phi1) / 2);
        double sinLambda = Math.sin(Math.toRadians(longitude2 - longitude1) / 2);
        double a = sinPhi * sinPhi + Math.cos(phi1) * Math.cos(phi2) * sinLambda * sinLambda;
        return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(a)));
    }

    static double kmh(double km, long gapMs) {
        return km / (Math.max(gapMs, SHORTEST_GAP_MS) / 3_600_000.0);
    }
}
