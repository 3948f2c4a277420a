package io.fraudlake.format;

/** Why a record breaks its contract; the codes of {@code pipelines/contracts/faults.py}. */
record Fault(String code, String detail) {

    static final String EMPTY = "empty";
    static final String NOT_JSON = "not_json";
    static final String NOT_AN_OBJECT = "not_an_object";
    static final String MISSING_FIELD = "missing_field";
    static final String WRONG_TYPE = "wrong_type";
    static final String UNKNOWN_VALUE = "unknown_value";
    static final String BAD_FORMAT = "bad_format";
    static final String BAD_TIME = "bad_time";
    static final String OUT_OF_RANGE = "out_of_range";
    static final String UNKNOWN_CURRENCY = "unknown_currency";

    static Fault missing(Field field) {
        return new Fault(MISSING_FIELD, field.name() + " is missing");
    }

    static Fault wrongType(Field field, String found) {
        String wanted = field.isNumeric() ? "a number" : "text";
        return new Fault(WRONG_TYPE, field.name() + " must be " + wanted + ", not " + found);
    }

    static Fault of(String code, Field field, String allowed) {
        return new Fault(code, field.name() + " must be " + allowed);
    }
}
