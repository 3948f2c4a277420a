"""What reads the job's topics: tables, alert index, dashboards; and what compares them all."""
