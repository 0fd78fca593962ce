#!/usr/bin/env python3
"""How data/strikes.csv was made: python3 cut.py birdstrikes.csv > data/strikes.csv

birdstrikes.csv is the file of that name in the npm package vega-datasets 3.2.1: wildlife strikes reported to the FAA,
a data set of the U.S. government in the public domain (http://wildlife.faa.gov). Kept are the strikes of 2000 to 2002 under
shorter column names."""
import csv, sys

NAMES = {"Flight Date": "flight_date", "Airport Name": "airport", "Origin State": "state", "Aircraft Airline Operator": "operator",
         "Aircraft Make Model": "aircraft", "Phase of flight": "phase", "Time of day": "time_of_day", "Wildlife Species": "species",
         "Wildlife Size": "size", "Effect Amount of damage": "damage", "Cost Total $": "cost", "Speed IAS in knots": "speed"}

with open(sys.argv[1], newline="") as f:
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["id", *NAMES.values()])
    for number, row in enumerate(csv.DictReader(f), 1):
        if "2000" <= row["Flight Date"][:4] <= "2002":
            out.writerow([number, *(row[name] for name in NAMES)])
