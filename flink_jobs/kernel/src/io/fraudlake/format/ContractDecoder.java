package io.fraudlake.format;

import io.fraudlake.Hash64;
import java.io.IOException;
import java.util.List;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.RowType;

/**
 * One record to one row, always: a record that breaks its contract gives a row with its bytes and
 * its fault, and nothing else.
 *
 * <p>The columns a table may declare: any field of the contract; {@code <field>_hash} (BIGINT, 64
 * bits of its text); {@code base_amount_minor} (BIGINT); {@code raw} (BYTES, the record as it
 * came); {@code fault} and {@code fault_detail} (STRING). Only what is declared is made.
 */
final class ContractDecoder implements DeserializationSchema<RowData> {

    private static final long serialVersionUID = 1L;
    private static final String HASH_SUFFIX = "_hash";

    private enum Source {
        TEXT,
        TIME,
        NUMBER,
        HASH,
        BASE_AMOUNT,
        RAW,
        FAULT,
        FAULT_DETAIL
    }

    private final String contractName;
    private final Money money;
    private final TypeInformation<RowData> producedType;
    private final Source[] sources;
    private final int[] fieldIndex;

    private transient RecordReader reader;
    private transient JobMetrics.Read metrics;
    private transient int amountIndex;
    private transient int currencyIndex;

    ContractDecoder(
            String contractName,
            String rates,
            RowType rowType,
            TypeInformation<RowData> producedType) {
        this.contractName = contractName;
        this.money = new Money(rates);
        this.producedType = producedType;
        Contract contract = Contract.named(contractName);
        List<String> columns = rowType.getFieldNames();
        this.sources = new Source[columns.size()];
        this.fieldIndex = new int[columns.size()];
        for (int i = 0; i < sources.length; i++) {
            bind(contract, columns.get(i), i);
        }
    }

    private void bind(Contract contract, String column, int i) {
        fieldIndex[i] = contract.indexOf(column);
        if (fieldIndex[i] >= 0) {
            Field field = contract.fields.get(fieldIndex[i]);
            boolean isTime = field.kind() == Field.Kind.TIME;
            sources[i] = isTime ? Source.TIME : field.isNumeric() ? Source.NUMBER : Source.TEXT;
            return;
        }
        switch (column) {
            case "base_amount_minor" -> sources[i] = Source.BASE_AMOUNT;
            case "raw" -> sources[i] = Source.RAW;
            case "fault" -> sources[i] = Source.FAULT;
            case "fault_detail" -> sources[i] = Source.FAULT_DETAIL;
            default -> {
                boolean isHash = column.endsWith(HASH_SUFFIX);
                int length = column.length() - (isHash ? HASH_SUFFIX.length() : 0);
                fieldIndex[i] = contract.indexOf(column.substring(0, length));
                if (!isHash || fieldIndex[i] < 0) {
                    throw new ValidationException(
                            "column '" + column + "' is not in contract '" + contractName + "'");
                }
                sources[i] = Source.HASH;
            }
        }
    }

    @Override
    public void open(InitializationContext context) {
        Contract contract = Contract.named(contractName);
        reader = new RecordReader(contract, money);
        metrics = new JobMetrics.Read(context.getMetricGroup(), contractName);
        amountIndex = contract.indexOf("amount");
        currencyIndex = contract.indexOf("currency");
    }

    @Override
    public RowData deserialize(byte[] json) throws IOException {
        Fault fault = reader.read(json);
        metrics.count(json, fault);
        GenericRowData row = new GenericRowData(sources.length);
        for (int i = 0; i < sources.length; i++) {
            row.setField(i, fault == null ? value(i, json) : faulty(i, json, fault));
        }
        return row;
    }

    private Object value(int column, byte[] json) {
        Source source = sources[column];
        if (source == Source.RAW) {
            return json;
        }
        if (source == Source.BASE_AMOUNT) {
            return money.toBaseMinor(
                    reader.amountText,
                    (Double) reader.values[amountIndex],
                    (String) reader.values[currencyIndex]);
        }
        Object value = fieldIndex[column] < 0 ? null : reader.values[fieldIndex[column]];
        if (value == null) {
            return null;
        }
        return switch (source) {
            case TEXT -> StringData.fromString((String) value);
            case TIME -> TimestampData.fromEpochMillis((Long) value);
            case NUMBER -> value;
            case HASH -> Hash64.of((String) value);
            default -> null;
        };
    }

    private Object faulty(int column, byte[] json, Fault fault) {
        return switch (sources[column]) {
            case RAW -> json;
            case FAULT -> StringData.fromString(fault.code());
            case FAULT_DETAIL -> StringData.fromString(fault.detail());
            default -> null;
        };
    }

    @Override
    public boolean isEndOfStream(RowData row) {
        return false;
    }

    @Override
    public TypeInformation<RowData> getProducedType() {
        return producedType;
    }
}
